"""What is looked at beside the protocol: first steps, evaluations, recomputations, scaling by hand, compiled code."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ampfix.emulate import cuda
from ampfix.watch import Watch
from tests.watch.toy import batch, half_loss, model, scaler


def told(loop: Callable[[], object]) -> list[tuple[str, int]]:
    watch = Watch(tell=lambda _: None)
    with watch:
        loop()
    return [(alarm.code or alarm.name, alarm.step) for alarm in watch.alarms]


def fit(net: nn.Module, steps: int = 3, after: Callable[[], object] = lambda: None, **options: Any) -> None:
    optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(**{"init_scale": 256.0, **options})
    for step in range(steps):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        scaling.step(optimizer)
        scaling.update()
        after()


@pytest.mark.parametrize(("in_half", "expected"), [(False, ["AMP304"]), (True, [])])
def test_an_evaluation_in_another_precision_is_told(in_half: bool, expected: list[str]) -> None:
    net = model()

    @torch.no_grad()
    def evaluate() -> None:
        net.eval()
        with torch.autocast("cpu", dtype=torch.float16) if in_half else contextlib.nullcontext():
            net(batch(9)[0])
        net.train()

    assert [code for code, _ in told(lambda: fit(net, after=evaluate))] == expected


def test_an_average_evaluated_in_float32_is_another_model() -> None:
    net, average = model(), model(1)

    @torch.no_grad()
    def evaluate() -> None:
        average.eval()
        average(batch(9)[0])
        average.train()

    assert told(lambda: fit(net, after=evaluate)) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"init_scale": 2.0**62}, ["AMP207"]), ({"growth_interval": 1}, ["AMP207"]), ({"growth_interval": 100}, [])],
)
def test_settings_that_never_settle_are_told_at_once(options: dict[str, Any], expected: list[str]) -> None:
    assert [code for code, step in told(lambda: fit(model(), **options)) if step == 0] == expected


@pytest.mark.parametrize(("profile", "expected"), [("V100", ["AMP302"]), ("T4", ["AMP302"]), ("A100", [])])
def test_bfloat16_on_a_gpu_without_it_is_told(profile: str, expected: list[str]) -> None:
    def loop() -> None:
        net = model().cuda()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for step in range(2):
            inputs, labels = batch(step)
            optimizer.zero_grad()
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(net(inputs.cuda()), labels.cuda())
            loss.backward()
            optimizer.step()

    with cuda(profile):
        assert [code for code, _ in told(loop)] == expected


def _norm_of_gradients(net: nn.Module, _loss: torch.Tensor) -> float:
    return sum(float(parameter.grad.norm()) for parameter in net.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda *_: 0.0, [("AMP205", 0)]),
        (lambda _, loss: loss.item(), [("AMP205", 0)]),  # says nothing of the gradients
        (_norm_of_gradients, []),
        (lambda net, _: nn.utils.clip_grad_norm_(net.parameters(), 1.0), []),
    ],
    ids=["nothing", "loss", "norm", "clip"],
)
def test_a_loop_that_scales_by_itself_and_looks_for_infinities_in_gradients_is_right(
    value: Any, expected: list[tuple[str, int]]
) -> None:
    def loop() -> None:
        net, scale = model(), 512.0
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for step in range(3):
            optimizer.zero_grad()
            loss = half_loss(net, step).float()
            (loss * scale).backward()
            for parameter in net.parameters():
                assert parameter.grad is not None
                parameter.grad.div_(scale)
            if math.isfinite(value(net, loss)):
                optimizer.step()

    assert told(loop) == expected


def wide(size: int) -> None:
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, size))
    optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=16.0)
    for step in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = net(batch(step)[0]).float().square().mean()
        scaling.scale(loss).backward()
        scaling.step(optimizer)
        scaling.update()


@pytest.mark.parametrize(("size", "expected"), [(1027, ["AMP501"]), (1032, []), (100, [])])
def test_a_large_size_that_eight_does_not_divide_is_told(size: int, expected: list[str]) -> None:
    assert [code for code, _ in told(lambda: wide(size))] == expected


class Recompute(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, block: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        ctx.block = block
        ctx.save_for_backward(hidden)
        with torch.no_grad():
            out: torch.Tensor = block(hidden)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        hidden = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad(), torch.autocast("cpu", dtype=torch.float16, enabled=ctx.block.in_half):
            out = ctx.block(hidden) if ctx.block.in_half else None
        if out is None:
            with torch.enable_grad():
                out = ctx.block(hidden)
        torch.autograd.backward(out, gradients[0].to(out.dtype))
        return None, hidden.grad


@pytest.mark.parametrize(("in_half", "expected"), [(False, ["AMP408"]), (True, [])])
def test_a_recomputation_outside_autocast_is_told(in_half: bool, expected: list[str]) -> None:
    block: Any = nn.Linear(16, 16)
    block.in_half = in_half
    first, last = nn.Linear(8, 16), nn.Linear(16, 4)
    net = nn.ModuleList([first, block, last])

    def loop() -> None:
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=16.0)
        for step in range(3):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = last(Recompute.apply(block, first(batch(step)[0]).float())).float().square().mean()
            scaling.scale(loss).backward()
            scaling.step(optimizer)
            scaling.update()

    assert [code for code, _ in told(loop)] == expected


def compiled(watched: bool) -> tuple[list[str], int]:
    """Losses of a compiled model, and how many graphs were compiled."""
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    net = model()
    with Watch(tell=lambda _: None) if watched else torch.enable_grad():
        fast: Any = torch.compile(net, backend="aot_eager")
        optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.01), []
        for step in range(20):
            optimizer.zero_grad()
            loss = half_loss(fast, step)
            loss.backward()
            optimizer.step()
            losses.append(repr(loss.item()))
    return losses, counters["stats"]["unique_graphs"]


def test_a_compiled_model_stays_compiled() -> None:
    plain = compiled(False)
    assert plain[1] > 0
    assert compiled(True) == plain


def test_a_later_look_is_over_where_backward_begins() -> None:
    modes: list[tuple[bool, bool]] = []

    def active() -> bool:
        return torch.utils._python_dispatch._get_current_dispatch_mode() is not None

    watch = Watch(tell=lambda _: None)
    with watch:
        watch.recorder._flops.barred = True  # whose rounds are drawn
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=256.0)
        for step in range(66):
            optimizer.zero_grad()
            loss = half_loss(net, step)
            forward = active()
            loss.register_hook(lambda _, forward=forward: modes.append((forward, active())))
            scaling.scale(loss).backward()
            scaling.step(optimizer)
            scaling.update()
    assert [step for step, (forward, _) in enumerate(modes) if forward] in ([0, 64], [1, 64])
    assert modes[64] == (True, False)
