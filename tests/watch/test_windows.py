"""Accumulation windows: micro-batches thrown away or added up whole, and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.watch.toy import batch, half_loss, model, record, scaler

Body = Callable[[nn.Module, torch.optim.Optimizer, torch.amp.GradScaler, int], None]


def loop(body: Body, steps: int = 12, lr: float = 0.05) -> None:
    net = model()
    optimizer, scaling = torch.optim.SGD(net.parameters(), lr=lr), scaler()
    optimizer.zero_grad()
    for step in range(steps):
        body(net, optimizer, scaling, step)


def finish(optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler) -> None:
    scaling.step(optimizer)
    scaling.update()
    optimizer.zero_grad()


def whole(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    scaling.scale(half_loss(net, step)).backward()
    if step % 4 == 3:
        finish(optimizer, scaling)


def zeroed(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    optimizer.zero_grad()
    scaling.scale(half_loss(net, step) / 4).backward()
    if step % 4 == 3:
        scaling.step(optimizer)
        scaling.update()


def zeroed_by_hand(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    for parameter in net.parameters():
        parameter.grad = None
    scaling.scale(half_loss(net, step) / 4).backward()
    if step % 4 == 3:
        scaling.step(optimizer)
        scaling.update()


def divided(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    scaling.scale(half_loss(net, step) / 4).backward()
    if step % 4 == 3:
        finish(optimizer, scaling)


def divided_behind(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    (scaling.scale(half_loss(net, step)) / 4).backward()
    if step % 4 == 3:
        finish(optimizer, scaling)


def gradients_divided(
    net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int
) -> None:
    scaling.scale(half_loss(net, step)).backward()
    if step % 4 == 3:
        for parameter in net.parameters():
            assert parameter.grad is not None
            parameter.grad /= 4
        finish(optimizer, scaling)


def several_losses(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    inputs, labels = batch(step)
    with torch.autocast("cpu", dtype=torch.float16):
        out = net(inputs)
        losses = [nn.functional.cross_entropy(out, labels), nn.functional.cross_entropy(out, labels.flip(0))]
    for loss in losses:
        scaling.scale(loss).backward(retain_graph=True)
    finish(optimizer, scaling)


def attacked(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    inputs, labels = batch(step)
    inputs.requires_grad_()
    nn.functional.cross_entropy(net(inputs), labels).backward()
    optimizer.zero_grad()
    scaling.scale(half_loss(net, step)).backward()
    finish(optimizer, scaling)


def perturbed(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    """Sharpness-aware: both backwards run on one line, and the first one's gradients move the weights."""
    for round_ in range(2):
        half_loss(net, step, torch.bfloat16).backward()
        if round_ == 0:
            with torch.no_grad():
                for parameter in net.parameters():
                    assert parameter.grad is not None
                    parameter.add_(parameter.grad, alpha=0.01)
            optimizer.zero_grad()
    optimizer.step()
    optimizer.zero_grad()


def given_up_once(net: nn.Module, optimizer: torch.optim.Optimizer, scaling: torch.amp.GradScaler, step: int) -> None:
    scaling.scale(half_loss(net, step)).backward()
    if step == 3:
        optimizer.zero_grad()
        return
    finish(optimizer, scaling)


@pytest.mark.parametrize(
    ("body", "violation"),
    [(whole, "window_undivided"), (zeroed, "window_zeroed"), (zeroed_by_hand, "window_zeroed")],
)
def test_a_bug_of_windows_is_told_once(body: Body, violation: str) -> None:
    recorded = record(loop, body)
    assert recorded.violations == [violation]
    (occurrence,) = recorded.recorder.violations
    assert occurrence.count == 1
    assert occurrence.broken.event.path == __file__


@pytest.mark.parametrize(
    "body", [divided, divided_behind, gradients_divided, several_losses, attacked, perturbed, given_up_once]
)
def test_what_only_looks_like_it_is_left_alone(body: Body) -> None:
    assert record(loop, body).violations == []
