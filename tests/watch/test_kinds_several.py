"""Several optimizers and scalers in one loop under watch."""

from __future__ import annotations

import pytest
import torch
from torch import nn, optim
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import clip_grad_norm_

from tests.watch.kinds import Weights, first_named, unharmed, weights
from tests.watch.toy import batch, half_loss, model, scaler


def adversaries(scalers: int, fused: bool = False, bug: str = "") -> Weights:
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
    critic = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    makes, criticises = (optim.Adam(net.parameters(), 1e-3, fused=fused) for net in (maker, critic))
    of_critic = scaler(init_scale=2.0**22)
    of_maker = of_critic if scalers == 1 else scaler(init_scale=2.0**14)
    if bug == "other scaler":
        of_maker, unused = of_critic, of_maker
    for step in range(24):
        real, _ = batch(step)
        noise = torch.randn(6, 4, generator=torch.Generator().manual_seed(step))
        if bug != "critic never zeroed":
            criticises.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            judged = critic(torch.cat([real, maker(noise).detach()]))
            loss = binary_cross_entropy_with_logits(judged, torch.cat([torch.ones(6, 1), torch.zeros(6, 1)]))
        of_critic.scale(loss).backward()
        if bug == "critic clipped":
            clip_grad_norm_(critic.parameters(), 1.0)  # critic clipped
        of_critic.step(criticises)
        if scalers == 2:
            of_critic.update()
        if bug != "maker never zeroed":
            makes.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = binary_cross_entropy_with_logits(critic(maker(noise)), torch.ones(6, 1))
        of_maker.scale(loss).backward()  # maker never zeroed, critic never zeroed
        if bug == "other scaler":
            unused.scale(torch.ones(()))
            unused.unscale_(makes)  # other scaler
        elif bug != "maker clipped":
            of_maker.unscale_(makes)
        clip_grad_norm_(maker.parameters(), 1.0)  # maker clipped
        if bug == "maker bypasses":
            makes.step()  # maker bypasses
        else:
            of_maker.step(makes)
        of_maker.update()
    return weights(maker, critic)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("scalers", [1, 2])
def test_adversaries_are_left_as_they_are(scalers: int, fused: bool) -> None:
    watch = unharmed(adversaries, scalers, fused)
    summary = watch.summary()
    assert (summary["optimizers"], summary["scalers"], summary["attempts"]) == (2, scalers, 48)
    assert summary["skipped"] > 0


@pytest.mark.parametrize(
    ("bug", "code"),
    [
        ("critic never zeroed", "AMP123"),
        ("maker never zeroed", "AMP123"),
        ("critic clipped", "AMP101"),
        ("maker clipped", "AMP101"),
        ("maker bypasses", "AMP106"),
    ],
)
@pytest.mark.parametrize("scalers", [1, 2])
def test_a_bug_of_one_adversary_is_named(scalers: int, bug: str, code: str) -> None:
    told, line = first_named(adversaries, scalers, False, bug)
    assert told == code
    assert bug in line


def test_a_scaler_that_did_not_scale_these_gradients_is_named() -> None:
    assert first_named(adversaries, 2, False, "other scaler") == ("AMP122", "other scaler")


def halves(bug: str = "") -> Weights:
    """One backward for two optimizers of different kinds, and one update."""
    net = model()
    first = optim.SGD(net[0].parameters(), 0.05, foreach=True)
    last = optim.AdamW(net[2].parameters(), 1e-3, fused=True)
    scaling = scaler(init_scale=2.0**18)
    for step in range(24):
        first.zero_grad()
        if bug != "never zeroed":
            last.zero_grad()
        scaling.scale(half_loss(net, step)).backward()  # never zeroed
        scaling.unscale_(first)
        if bug != "clipped":
            scaling.unscale_(last)
        clip_grad_norm_(net.parameters(), 1.0)  # clipped
        scaling.step(first)
        if bug == "updated between":
            scaling.update()  # updated between
        if bug == "bypassed":
            last.step()  # bypassed
        else:
            scaling.step(last)
        scaling.update()
    return weights(net)


def test_two_optimizers_of_one_loss_are_left_as_they_are() -> None:
    assert unharmed(halves).summary()["attempts"] == 48


@pytest.mark.parametrize(
    ("bug", "code"),
    [("never zeroed", "AMP123"), ("clipped", "AMP101"), ("updated between", "AMP111"), ("bypassed", "AMP106")],
)
def test_a_bug_of_one_of_two_optimizers_is_named(bug: str, code: str) -> None:
    assert first_named(halves, bug) == (code, bug)


def losses(bug: str = "") -> Weights:
    """Two losses, each with a scaler and an optimizer of its own, through a trunk that both share."""
    torch.manual_seed(0)
    trunk, one, other = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 4)
    optimizers = [optim.SGD([*trunk.parameters(), *one.parameters()], 0.01), optim.SGD(other.parameters(), 0.01)]
    scalers = [scaler(init_scale=256.0), scaler(init_scale=1024.0)]
    for step in range(12):
        inputs, labels = batch(step)
        for optimizer in optimizers:
            optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            hidden = trunk(inputs).relu()
            first = nn.functional.cross_entropy(one(hidden), labels)
            second = nn.functional.cross_entropy(other(hidden if bug else hidden.detach()), labels)
        scalers[0].scale(first).backward(retain_graph=True)
        scalers[1].scale(second).backward()  # mixed
        for scaling, optimizer in zip(scalers, optimizers, strict=True):
            scaling.step(optimizer)
            scaling.update()
    return weights(trunk, one, other)


def test_two_scalers_of_separate_losses_are_left_as_they_are() -> None:
    assert unharmed(losses).summary()["scalers"] == 2


def test_gradients_that_carry_two_scales_are_named() -> None:
    assert first_named(losses, "mixed") == ("AMP122", "mixed")
