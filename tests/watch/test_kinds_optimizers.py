"""Fused, foreach and closure-driven optimizers under watch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from tests.watch.kinds import Weights, first_named, unharmed, watched, weights
from tests.watch.toy import half_loss, model, scaler

FUSED = ("Adam", "AdamW", "SGD", "Adagrad")
FOREACH = ("Adam", "AdamW", "SGD", "RMSprop", "Adadelta", "NAdam", "RAdam", "Rprop", "Adamax", "ASGD")
KINDS = [(name, "fused") for name in FUSED] + [(name, "foreach") for name in FOREACH]
OVERFLOWS, FITS = 2.0**20, 2.0**10  # first scales


def optimizer_of(net: nn.Module, kind: tuple[str, str], **more: Any) -> optim.Optimizer:
    name, how = kind
    made: optim.Optimizer = getattr(optim, name)(net.parameters(), lr=1e-2, **{how: True}, **more)
    return made


def train(kind: tuple[str, str], bug: str = "", init_scale: float = OVERFLOWS) -> Weights:
    net = model()
    optimizer, scaling = optimizer_of(net, kind), scaler(init_scale=init_scale)
    schedule = optim.lr_scheduler.StepLR(optimizer, 10)
    for step in range(30):
        if bug != "never zeroed":
            optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()  # never zeroed
        if bug == "norm clipped":
            clip_grad_norm_(net.parameters(), 0.1)  # norm clipped
        elif bug == "values clipped":
            clip_grad_value_(net.parameters(), 0.1)  # values clipped
        elif bug == "decayed":
            for parameter in net.parameters():
                parameter.grad.add_(parameter.detach(), alpha=0.01)  # decayed
        elif bug == "read":
            norms = [parameter.grad.norm() for parameter in net.parameters()]
            if torch.stack(norms).norm().item() > 10.0:  # read
                continue
        else:
            scaling.unscale_(optimizer)
            clip_grad_norm_(net.parameters(), 0.1)
        if bug == "bypassed":
            optimizer.step()  # bypassed
        else:
            scaling.step(optimizer)
        if bug == "stepped again":
            optimizer.step()  # stepped again
        before = scaling.get_scale() if bug != "read" else 0.0
        scaling.update()
        if bug == "updated again":
            scaling.update()  # updated again
        if bug == "scheduled":
            schedule.step()  # scheduled
        elif bug != "read" and scaling.get_scale() >= before:
            schedule.step()
    return weights(net)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_right_loop_is_left_as_it_is(kind: tuple[str, str]) -> None:
    watch = unharmed(train, kind)
    assert (watch.summary()["attempts"], watch.summary()["skipped"]) == (30, 4)


BUGS = {
    "never zeroed": "AMP123",
    "norm clipped": "AMP101",
    "values clipped": "AMP101",
    "decayed": "AMP103",
    "read": "AMP102",
    "bypassed": "AMP106",
    "stepped again": "AMP107",
    "updated again": "AMP111",
    "scheduled": "AMP114",
}


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("kind", [("AdamW", "fused"), ("SGD", "fused"), ("SGD", "foreach")], ids="-".join)
def test_a_bug_is_named_at_its_line(kind: tuple[str, str], bug: str) -> None:
    assert first_named(train, kind, bug) == (BUGS[bug], bug)


def overflow_for_good(how: str) -> Weights:
    net = model()
    optimizer, scaling = optimizer_of(net, ("SGD", how)), scaler(init_scale=2.0**-140)
    for step in range(12):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step) * torch.inf).backward()
        scaling.step(optimizer)
        scaling.update()
    assert scaling.get_scale() == 0.0
    return weights(net)


@pytest.mark.parametrize("how", ["fused", "foreach"])
def test_a_scale_that_falls_to_zero_is_survived(how: str) -> None:
    watch, seen = watched(overflow_for_good, how)
    assert watch.summary()["skipped"] == 12
    assert all(torch.equal(one, other) for one, other in zip(seen, overflow_for_good(how), strict=True))


@pytest.fixture
def unwritten_memory_shows() -> Iterator[None]:
    """torch then fills what it allocates and does not write with NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def with_momentum(how: str, init_scale: float, resumed: bool = False) -> Weights:
    net = model()
    optimizer, scaling = optimizer_of(net, ("SGD", how), momentum=0.9), scaler(init_scale=init_scale)
    if resumed:
        half_loss(net, dtype=torch.bfloat16).backward()
        optimizer.step()
        scaling = scaler(init_scale=OVERFLOWS)
    for step in range(12):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        scaling.step(optimizer)  # momentum
        scaling.update()
    return weights(net)


@pytest.mark.usefixtures("unwritten_memory_shows")
def test_momentum_that_a_fused_optimizer_never_wrote_is_told() -> None:
    assert first_named(with_momentum, "fused", OVERFLOWS) == ("AMP124", "momentum")


@pytest.mark.usefixtures("unwritten_memory_shows")
@pytest.mark.parametrize(
    ("how", "init_scale", "resumed"),
    [("foreach", OVERFLOWS, False), ("fused", FITS, False), ("fused", FITS, True)],
)
def test_momentum_that_was_written_is_left_alone(how: str, init_scale: float, resumed: bool) -> None:
    unharmed(with_momentum, how, init_scale, resumed)


def minimise(bug: str = "", search: str | None = "strong_wolfe") -> Weights:
    net = model()
    dtype = torch.float16 if bug else torch.bfloat16
    optimizer = optim.LBFGS(net.parameters(), lr=0.1, max_iter=4, line_search_fn=search)
    scaling = scaler(init_scale=FITS, enabled=bool(bug) and bug != "not scaled")
    for step in range(8):

        def closure(step: int = step) -> torch.Tensor:
            optimizer.zero_grad()
            loss = half_loss(net, step, dtype)
            scaling.scale(loss).backward()  # not scaled
            return loss

        if bug == "by position":
            closure()
            scaling.step(optimizer, closure)  # by position
        elif bug == "by name":
            scaling.step(optimizer, closure=closure)  # by name
        else:
            optimizer.step(closure)  # past the scaler
        scaling.update()
    return weights(net)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_a_closure_in_bfloat16_is_left_as_it_is(search: str | None) -> None:
    assert unharmed(minimise, "", search).summary()["attempts"] == 8


@pytest.mark.parametrize(
    ("bug", "code"),
    [("by position", "AMP119"), ("by name", "AMP119"), ("past the scaler", "AMP106"), ("not scaled", "AMP208")],
)
def test_a_closure_and_a_scaler_do_not_go_together(bug: str, code: str) -> None:
    assert first_named(minimise, bug) == (code, bug)


def accumulated() -> Weights:
    net = model()
    optimizer = optim.LBFGS(net.parameters(), lr=0.1, max_iter=4)

    def closure() -> torch.Tensor:
        loss = half_loss(net, dtype=torch.bfloat16)
        loss.backward()
        return loss

    for _ in range(4):
        optimizer.step(closure)
    return weights(net)


def test_evaluations_of_a_closure_are_no_micro_batches() -> None:
    watch, _ = watched(accumulated)
    assert "AMP115" not in [alarm.code for alarm in watch.alarms]
