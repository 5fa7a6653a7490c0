"""Optimizers and schedulers that a loop takes out of their lists by its number."""

from __future__ import annotations

import pytest

from ampfix.lint.engine import check_source

_TRAIN = """\
import torch

def train(model, loader, optimizers, schedulers, scaler, limit):
    for x, y in loader:
        for i in {counts}:
            optimizers[i].zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
{before}        for i in {counts}:
            scaler.step(optimizers[i]){advance}
        scaler.update()
{behind}"""
_COUNTS = "range(len(optimizers))"
_ADVANCE = "\n            schedulers[i].step()"
_UNSCALE = f"        for i in {_COUNTS}:\n            scaler.unscale_(optimizers[i])\n"
_CLIP = "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"


def _codes(counts: str = _COUNTS, before: str = "", advance: str = "", behind: str = "") -> list[str]:
    text = _TRAIN.format(counts=counts, before=before, advance=advance, behind=behind)
    return [one.code for one in check_source(text) if one.code < "AMP3"]


def test_leaves_correct_loops_alone() -> None:
    assert _codes() == []
    assert _codes(before=f"{_UNSCALE}{_CLIP}") == []


@pytest.mark.parametrize("counts", [_COUNTS, "range(2)", "range(0, 2)"])
def test_tells_a_scheduler_that_steps_with_each(counts: str) -> None:
    assert _codes(counts, advance=_ADVANCE) == ["AMP114"]


def test_tells_a_clip_before_they_are_unscaled() -> None:
    assert _codes(before=_CLIP) == ["AMP101"]


def test_tells_schedulers_that_a_further_loop_steps() -> None:
    behind = f"        for i in {_COUNTS}:\n            schedulers[i].step()\n"
    assert _codes(behind=behind) == ["AMP114"]


def test_leaves_schedulers_alone_that_step_where_the_scale_held() -> None:
    behind = "        if scaler.get_scale() >= limit:\n            for i in range(2):\n"
    assert _codes(behind=f"{behind}                schedulers[i].step()\n") == []


def test_tells_schedulers_that_are_counted_beside_optimizers() -> None:
    text = _TRAIN.format(counts=_COUNTS, before="", advance=_ADVANCE, behind="")
    counted = text.replace(
        f"for i in {_COUNTS}:\n            scaler.step(optimizers[i])",
        "for i, optimizer in enumerate(optimizers):\n            scaler.step(optimizer)",
    )
    assert [one.code for one in check_source(counted) if one.code < "AMP3"] == ["AMP114"]


def test_leaves_one_optimizer_of_each_batch_alone() -> None:
    text = """\
import torch

def train(model, loader, optimizers, scaler):
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizers[i % 2])
        scaler.update()
        optimizers[i % 2].zero_grad()
"""
    assert [one.code for one in check_source(text) if one.code < "AMP3"] == []


def test_leaves_an_optimizer_of_each_batch_alone_that_is_taken_by_its_number() -> None:
    text = """\
import torch

def train(model, loader, optimizers, scaler):
    for i, (x, y) in enumerate(loader):
        optimizers[i].zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizers[i])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizers[i])
        scaler.update()
"""
    assert [one.code for one in check_source(text) if one.code < "AMP3"] == []
