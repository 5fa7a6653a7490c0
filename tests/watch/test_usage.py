"""What a loop does with scaled gradients by hand: reads, edits and clips are told from what a scale does not change."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ampfix.watch.degrees import Tag, apply
from tests.watch.toy import half_loss, model, record, scaler

Use = Callable[[nn.Module, torch.amp.GradScaler], object]


def loop(use: Use, steps: int = 3) -> None:
    net = model()
    optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), scaler(init_scale=2.0**12)
    for step in range(steps):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        use(net, scaling)
        scaling.step(optimizer)
        scaling.update()


def grads(net: nn.Module) -> list[torch.Tensor]:
    return [parameter.grad for parameter in net.parameters() if parameter.grad is not None]


def norm_of(net: nn.Module) -> torch.Tensor:
    return torch.stack([gradient.norm() for gradient in grads(net)]).norm()


def each(change: Callable[[torch.Tensor, torch.Tensor], object]) -> Use:
    """Apply a change to each (parameter, gradient)."""

    def use(net: nn.Module, _scaling: object) -> None:
        for parameter in net.parameters():
            assert parameter.grad is not None
            made = change(parameter, parameter.grad)
            if isinstance(made, torch.Tensor) and made is not parameter.grad:
                parameter.grad = made

    return use


def clip_by_hand(net: nn.Module, _scaling: object) -> None:
    factor = torch.clamp(1.0 / (norm_of(net) + 1e-6), max=1.0)
    for gradient in grads(net):
        gradient.mul_(factor)


def clip_by_number(net: nn.Module, _scaling: object) -> None:
    factor = 1.0 / (norm_of(net).item() + 1e-6)
    if factor < 1:
        for gradient in grads(net):
            gradient.mul_(factor)


def accumulated_norm(net: nn.Module, _scaling: object) -> float:
    total = torch.zeros(())
    for gradient in grads(net):
        total += gradient.detach().float().square().sum()
    return math.sqrt(total.item())


def foreach_decay(net: nn.Module, _scaling: object) -> None:
    with torch.no_grad():
        torch._foreach_add_(grads(net), [p.detach() for p in net.parameters()], alpha=0.1)


WRONG: dict[str, tuple[Use, str]] = {
    "norm read off": (lambda net, _: norm_of(net).item(), "read_while_scaled"),
    "norm summed up and read off": (accumulated_norm, "read_while_scaled"),
    "largest gradient compared": (
        lambda net, _: bool(grads(net)[0].abs().max() > 10.0),
        "read_while_scaled",
    ),
    "weight over gradient": (
        lambda net, _: (sum(p.detach().norm() for p in net.parameters()) / (norm_of(net) + 1e-9)).item(),
        "read_while_scaled",
    ),
    "noise added": (each(lambda _, g: g.add_(torch.randn_like(g))), "edit_while_scaled"),
    "noise drawn by shape": (each(lambda _, g: g.add_(torch.randn(g.shape))), "edit_while_scaled"),
    "decay added": (each(lambda p, g: g.add_(p.detach(), alpha=0.1)), "edit_while_scaled"),
    "decay added to data": (each(lambda p, g: g.data.add_(p.data, alpha=0.1)), "edit_while_scaled"),
    "decay added, foreach": (foreach_decay, "edit_while_scaled"),
    "decay assigned": (each(lambda p, g: g + 0.1 * p.detach()), "edit_while_scaled"),
    "bounded": (each(lambda _, g: g.clamp_(-1.0, 1.0)), "edit_while_scaled"),
    "bounded and assigned": (each(lambda _, g: g.clamp(-1.0, 1.0)), "edit_while_scaled"),
    "sign": (each(lambda _, g: g.sign_()), "edit_while_scaled"),
    "clipped by hand": (clip_by_hand, "clip_while_scaled"),
    "clipped by a number": (clip_by_number, "clip_while_scaled"),
    "scrubbed": (each(lambda _, g: g.nan_to_num_(0.0)), "scrub_while_scaled"),
    "scrubbed and assigned": (each(lambda _, g: torch.nan_to_num(g)), "scrub_while_scaled"),
    "scrubbed by a mask": (each(lambda _, g: g.masked_fill_(~torch.isfinite(g), 0.0)), "scrub_while_scaled"),
    "scrubbed by where": (
        each(lambda _, g: g.copy_(torch.where(torch.isnan(g), torch.zeros_like(g), g))),
        "scrub_while_scaled",
    ),
    "scrubbed by an index": (each(lambda _, g: g.__setitem__(torch.isnan(g), 0.0)), "scrub_while_scaled"),
}


def divided_by_tensor(net: nn.Module, scaling: torch.amp.GradScaler) -> float:
    return float((norm_of(net) / scaling._scale).item())  # type: ignore[attr-defined]


def inverse_of_tensor(net: nn.Module, scaling: torch.amp.GradScaler) -> float:
    return float(norm_of(net) * scaling._scale.reciprocal())  # type: ignore[attr-defined]


def scaled_threshold(net: nn.Module, scaling: torch.amp.GradScaler) -> None:
    factor = torch.clamp(1.0 * scaling._scale / (norm_of(net) + 1e-6), max=1.0)  # type: ignore[attr-defined]
    for gradient in grads(net):
        gradient.mul_(factor)


RIGHT: dict[str, Use] = {
    "nothing": lambda net, _: None,
    "finite": lambda net, _: all(bool(torch.isfinite(gradient).all()) for gradient in grads(net)),
    "finite norm": lambda net, _: math.isfinite(norm_of(net).item()),
    "zero": lambda net, _: bool((grads(net)[0] == 0).any()),
    "divided by the scale behind": lambda net, scaling: norm_of(net).item() / scaling.get_scale(),
    "divided by the scale before": lambda net, scaling: (norm_of(net) / scaling.get_scale()).item(),
    "divided by the scale's tensor": divided_by_tensor,
    "times the scale's inverse": inverse_of_tensor,
    "ratio of two": lambda net, _: (grads(net)[0].norm() / grads(net)[1].norm()).item(),
    "cosine": lambda net, _: (
        torch.dot(grads(net)[1], grads(net)[1]) / (grads(net)[1].norm() * grads(net)[1].norm() + 1e-8)
    ).item(),
    "order": lambda net, _: bool(grads(net)[0].norm() > grads(net)[1].norm()),
    "averaged": each(lambda _, g: g.div_(2)),
    "averaged and assigned": each(lambda _, g: g / 2),
    "copied": each(lambda _, g: g.clone()),
    "halves added": each(lambda _, g: g.mul_(0.5).add_(g)),
    "through a bucket": each(lambda _, g: g.copy_(torch.empty_like(g).copy_(g).div_(2).mul_(2))),
    "masked rows": each(lambda _, g: g.mul_(torch.ones_like(g))),
    "frozen rows": each(lambda _, g: g[:1].zero_() is None),
    "clipped at the scaled threshold": scaled_threshold,
    "no decay": each(lambda p, g: g.add_(p.detach(), alpha=0.0)),
    "weights read off": lambda net, _: sum(float(p.detach().norm()) for p in net.parameters()),
    "weights averaged": lambda net, _: [p.detach().clone().mul_(0.9).add_(p.detach()) for p in net.parameters()],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_scale_changes_is_seen(name: str) -> None:
    use, violation = WRONG[name]
    assert record(loop, use).violations == [violation]


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_scale_does_not_change_is_left_alone(name: str) -> None:
    assert record(loop, RIGHT[name]).violations == []


@pytest.mark.parametrize("name", WRONG)
def test_behind_unscale_everything_is_allowed(name: str) -> None:
    def unscaled() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler(init_scale=2.0**12)
        for step in range(3):
            optimizer.zero_grad()
            scaling.scale(half_loss(net, step)).backward()
            scaling.unscale_(optimizer)
            WRONG[name][0](net, scaling)
            scaling.step(optimizer)
            scaling.update()

    assert record(unscaled).violations == []


def test_micro_batches_are_not_followed_through_their_forward() -> None:
    def accumulate() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(8):
            with torch.autocast("cpu", dtype=torch.float16):
                seen.append(torch.utils._python_dispatch._get_current_dispatch_mode())
            scaling.scale(half_loss(net, step) / 4).backward()
            if step % 4 == 3:
                scaling.step(optimizer)
                scaling.update()
                optimizer.zero_grad()

    seen: list[object] = []
    assert record(accumulate).violations == []
    assert not any(type(mode).__name__ == "_Follower" for mode in seen)


@pytest.mark.parametrize(
    ("op", "operands", "degree", "bent"),
    [
        ("mul", (Tag(1, True), Tag(1, True)), 2, False),
        ("div", (Tag(0), Tag(1, True)), -1, False),
        ("div", (Tag(1, True), 1024.0), 0, False),
        ("mul", (Tag(1, True), 1 / 1024), 0, False),
        ("sqrt", (Tag(2, True),), 1, False),
        ("pow", (Tag(1, True), 2.0), 2, False),
        ("add", (Tag(1, True), 1e-6), 1, False),
        ("add", (Tag(1, True), 1.0), 1, True),
        ("add", (Tag(1, True), Tag(0)), 1, True),
        ("add", (Tag(1, True), None), 1, False),
        ("clamp", (Tag(1, True), -1.0, 1.0), 1, True),
        ("clamp", (Tag(0, True), -1.0, 1.0), 0, False),
    ],
)
def test_powers_of_the_scale(op: str, operands: tuple[object, ...], degree: float, bent: bool) -> None:
    tag = apply(op, operands, 1024.0, ("loop.py", 1))  # type: ignore[arg-type]
    assert tag is not None
    assert (tag.degree, tag.bent) == (degree, bent)


def test_unknown_ops_and_unknown_factors_say_nothing() -> None:
    assert apply("fft", (Tag(1, True),), 1024.0, ("", 0)) is None
    assert apply("mul", (Tag(1, True), None), 1024.0, ("", 0)) is None
