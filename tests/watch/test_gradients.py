"""What the recorder makes of gradients: whose they are, what they carry, and how they are cleared."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from ampfix.protocol import EventKind
from tests.watch.toy import batch, half_loss, model, record, scaler


def test_gradients_of_an_accumulation_window_are_scaled_and_unscaled_once() -> None:
    def loop(every: int) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(8):
            (scaling.scale(half_loss(net, step)) / 4).backward()
            if (step + 1) % every == 0:
                scaling.unscale_(optimizer)
            if (step + 1) % 4 == 0:
                scaling.step(optimizer)
                scaling.update()
                optimizer.zero_grad(set_to_none=False)

    assert record(loop, 4).violations == []
    with pytest.raises(RuntimeError, match="already been called"):
        record(loop, 1)


def two_players(joint_update: bool) -> None:
    first, second = model(0), model(1)
    one, two = torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.Adam(second.parameters())
    scaling = scaler(growth_interval=1)
    for step in range(3):
        one.zero_grad()
        two.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            inputs, labels = batch(step)
            loss = nn.functional.cross_entropy(first(inputs) + second(inputs), labels)
        scaling.scale(loss).backward()
        scaling.step(one)
        if not joint_update:
            scaling.update()
        scaling.step(two)
        scaling.update()


def test_two_optimizers_of_one_scaler_are_told_apart() -> None:
    recorded = record(two_players, True)
    assert recorded.violations == []
    assert recorded.of(EventKind.BACKWARD)[0].optimizers == ("Adam-1", "SGD-0")
    assert record(two_players, False).violations == ["update_between_steps"]


def test_two_scalers_are_told_apart() -> None:
    def loop(swapped: bool) -> None:
        first, second = model(0), model(1)
        one, two = torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.Adam(second.parameters())
        a, b = scaler(), scaler(init_scale=512.0)
        for step in range(2):
            a.scale(half_loss(first, step)).backward()
            b.scale(half_loss(second, step)).backward()
            for scaling, optimizer in ((a, two), (b, one)) if swapped else ((a, one), (b, two)):
                scaling.step(optimizer)
                scaling.update()
                optimizer.zero_grad()

    assert record(loop, False).violations == []
    assert set(record(loop, True).violations) == {"wrong_scaler"}


def test_backward_concerns_the_optimizers_that_received_gradients() -> None:
    def loop() -> None:
        generator, critic = model(0), nn.Linear(4, 1)
        g, d = torch.optim.SGD(generator.parameters(), lr=0.1), torch.optim.Adam(critic.parameters())
        critic(generator(batch()[0]).detach()).sum().backward()
        critic(generator(batch()[0])).sum().backward()
        critic(generator(batch()[0])).sum().backward(inputs=list(generator.parameters()))
        torch.autograd.grad(critic(generator(batch()[0])).sum(), list(generator.parameters()))
        names.extend((g, d))

    names: list[Any] = []
    recorded = record(loop)
    assert [event.optimizers for event in recorded.of(EventKind.BACKWARD)] == [
        ("Adam-1",),
        ("Adam-1", "SGD-0"),
        ("SGD-0",),
    ]


@pytest.mark.parametrize("clear", ["none", "zero_", "zero_grad", "set_to_none"])
def test_gradients_may_be_cleared_in_any_way(clear: str) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()
            for parameter in net.parameters():
                if clear == "none":
                    parameter.grad = None
                elif clear == "zero_":
                    parameter.grad.zero_()  # type: ignore[union-attr]
            if clear == "zero_grad":
                net.zero_grad(set_to_none=False)
            elif clear == "set_to_none":
                optimizer.zero_grad(set_to_none=True)

    assert record(loop).violations == []


def test_gradients_never_cleared_mix_with_scaled_ones() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()

    assert record(loop).violations == ["mixed_gradients"]


def test_one_of_two_losses_left_unscaled_is_seen_in_a_sum_too() -> None:
    def loop(separately: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        one, two = half_loss(net, 0), half_loss(net, 1)
        if separately:
            scaling.scale(one).backward()
            two.backward()
        else:
            (scaling.scale(one) + two).backward()
        scaling.step(optimizer)

    assert record(loop, True).violations == ["mixed_gradients"]
    assert record(loop, False).violations == ["mixed_gradients"]


def test_several_scaled_losses_in_a_sum_are_not_mixed() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        losses = scaling.scale([half_loss(net, step) for step in range(3)])
        (sum(losses) / 3 + 1.0).backward()
        scaling.step(optimizer)

    recorded = record(loop)
    assert recorded.violations == []
    assert [event.scaler for event in recorded.of(EventKind.BACKWARD)] == ["GradScaler-0"]


def without_scaler(factor: float = 1.0, dtype: torch.dtype = torch.float16, scaling: Any = None) -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for step in range(2):
        loss = half_loss(net, step, dtype) * factor
        (loss if scaling is None else scaling.scale(loss)).backward()
        (optimizer.step if scaling is None else partial(scaling.step, optimizer))()
        optimizer.zero_grad()


def test_a_float16_forward_without_a_scaler_is_reported() -> None:
    assert record(without_scaler).violations == ["fp16_without_scaler"]
    assert record(without_scaler, 1.0, torch.float16, scaler(enabled=False)).violations == ["fp16_without_scaler"]


def test_bfloat16_and_scaling_by_hand_need_none() -> None:
    assert record(without_scaler, 1.0, torch.bfloat16).violations == []
    assert record(without_scaler, 1024.0).violations == []


def test_a_float16_forward_that_is_not_trained_needs_no_scaler() -> None:
    def loop() -> None:
        teacher, net = model(1), model(0)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        inputs, _ = batch()
        with torch.autocast("cpu", dtype=torch.float16), torch.no_grad():
            wanted = teacher(inputs)
        with torch.autocast("cpu", dtype=torch.float16):
            teacher(inputs)
        nn.functional.mse_loss(net(inputs), wanted.float()).backward()
        optimizer.step()

    assert record(loop).violations == []


def test_backward_inside_the_region_is_reported() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        with torch.autocast("cpu", dtype=torch.float16):
            scaling.scale(nn.functional.cross_entropy(net(batch()[0]), batch()[1])).backward()
        scaling.step(optimizer)

    assert record(loop).violations == ["backward_in_autocast"]


@pytest.mark.parametrize("explicit", [False, True])
def test_gradients_put_in_place_by_hand_are_gradients(explicit: bool) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(2):
            optimizer.zero_grad()
            parameters = list(net.parameters())
            for parameter, gradient in zip(
                parameters, torch.autograd.grad(scaling.scale(half_loss(net, step)), parameters), strict=True
            ):
                parameter.grad = gradient
            if explicit:
                scaling.unscale_(optimizer)
            scaling.step(optimizer)
            scaling.update()

    assert record(loop).violations == []


def test_a_step_without_gradients_is_reported() -> None:
    def loop(set_to_none: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        scaling.scale(half_loss(net)).backward()
        optimizer.zero_grad(set_to_none=set_to_none)
        scaling.step(optimizer)
        scaling.update()

    assert record(loop, False).violations == ["step_without_gradients"]
    with pytest.raises(AssertionError, match="No inf checks"):
        record(loop, True)
