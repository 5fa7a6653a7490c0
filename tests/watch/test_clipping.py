"""What the recorder makes of clipping: torch's own functions in every use, and the oracle behind them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from tests.watch.toy import half_loss, model, record, scaler


def clip_while_scaled(optimizer_class: Any = torch.optim.SGD, clip: Any = clip_grad_norm_, **options: Any) -> None:
    net = model()
    optimizer, scaling = optimizer_class(net.parameters(), lr=0.1, **options), scaler()
    for step in range(3):
        scaling.scale(half_loss(net, step)).backward()
        clip(net.parameters(), 0.1)
        scaling.step(optimizer)
        scaling.update()
        net.zero_grad()


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_], ids=["norm", "value"])
@pytest.mark.parametrize(
    ("optimizer_class", "options"),
    [
        (torch.optim.SGD, {}),
        (torch.optim.AdamW, {"foreach": True}),
        (torch.optim.AdamW, {"foreach": False}),
        (torch.optim.AdamW, {"fused": True}),
        (torch.optim.SGD, {"fused": True}),
    ],
    ids=str,
)
def test_a_clip_on_scaled_gradients_is_reported_and_the_oracle_agrees(
    clip: Any, optimizer_class: Any, options: dict[str, Any]
) -> None:
    recorded = record(clip_while_scaled, partial(optimizer_class, **options), clip)
    assert recorded.violations == ["clip_while_scaled"]
    facts = recorded.summary["clip"]
    assert (facts["checked"], facts["mismatched"], facts["while_scaled"]) == (3, 3, 3)
    assert facts["worst_ratio"] == pytest.approx(2.0**-16, rel=0.02)
    assert facts["first_mismatch"]["step"] == 0


@pytest.mark.parametrize(
    "clip",
    [
        partial(clip_grad_norm_, max_norm=0.1),
        partial(clip_grad_norm_, max_norm=1e6),
        partial(clip_grad_norm_, max_norm=0.05, norm_type=1),
        partial(clip_grad_norm_, max_norm=0.05, norm_type=float("inf"), foreach=False),
        partial(clip_grad_value_, clip_value=0.01),
        lambda parameters: torch.nn.utils.clip_grad_norm_(list(parameters), 0.1),
    ],
)
@pytest.mark.parametrize("fused", [False, True])
def test_the_oracle_agrees_with_every_clip_on_unscaled_gradients(clip: Any, fused: bool) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.AdamW(net.parameters(), fused=fused), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            scaling.unscale_(optimizer)
            clip(net.parameters())
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    facts = recorded.summary["clip"]
    assert (facts["checked"], facts["mismatched"], recorded.violations) == (3, 0, [])


def test_a_threshold_multiplied_by_the_scale_clips_scaled_gradients_rightly() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            clip_grad_norm_(net.parameters(), 0.1 * scaling.get_scale())
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    facts = recorded.summary["clip"]
    assert (recorded.violations, facts["checked"], facts["mismatched"]) == ([], 3, 0)


def test_an_infinite_threshold_is_a_read() -> None:
    def loop(before: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        scaling.scale(half_loss(net)).backward()
        if not before:
            scaling.unscale_(optimizer)
        clip_grad_norm_(net.parameters(), float("inf"))

    assert record(loop, True).violations == ["read_while_scaled"]
    assert record(loop, False).violations == []


def test_an_empty_generator_still_makes_torch_warn() -> None:
    with pytest.warns(UserWarning, match="empty generator"):
        record(lambda: clip_grad_norm_((p for p in []), 1.0))


def test_sparse_double_and_missing_gradients_do_no_harm() -> None:
    def loop() -> None:
        embedding, wide, unused = nn.Embedding(5, 3, sparse=True), nn.Linear(3, 1).double(), nn.Linear(2, 2)
        parameters = [*embedding.parameters(), *wide.parameters(), *unused.parameters()]
        optimizer, scaling = torch.optim.SGD(parameters, lr=0.1), scaler()
        for _ in range(3):
            loss = wide(embedding(torch.tensor([0, 1, 1])).double()).sum()
            scaling.scale(loss.float()).backward()
            scaling.unscale_(optimizer)
            clip_grad_value_(wide.parameters(), 0.1)
            scaling.step(optimizer)
            scaling.update()
            for parameter in parameters:
                parameter.grad = None

    recorded = record(loop)
    assert recorded.violations == []
    assert recorded.summary["clip"]["mismatched"] == 0
