"""AMP304 follows a model through aliases, wrappers, parameters and methods that run it forward."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

TRAINING = """\
import torch
from torch.nn.parallel import DistributedDataParallel

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader, ema=None):
    {alias}
    for {each}:
        value = {forward}

def main(net, loader, scaler, optimizer, other):
    net = DistributedDataParallel(net)
    bare = net.module if hasattr(net, "module") else net
    train(net, loader, scaler, optimizer)
    validate({handed}, loader)
"""
PLAIN = {"alias": "model.eval()", "each": "x, y in loader", "forward": "model(x, y)", "handed": "net"}


def found(**changes: str) -> list[str]:
    text = TRAINING.format(**PLAIN | changes)
    lines = text.splitlines()
    return [
        lines[one.span.start.line - 1].strip() for one in check_source(text, "loop.py", Settings(select=("AMP304",)))
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"handed": "bare"},
        {"handed": "net.module"},
        {"alias": "shown_model = ema.module if ema is not None else model", "forward": "shown_model(x, y)"},
        {"forward": "model.predict(x)"},
        {"each": "i in range(len(loader))", "forward": "model(*next(loader))"},
    ],
    ids=["the same variable", "its bare form", "unwrapped", "an alias", "a method", "an index"],
)
def test_one_model_under_several_names_is_found(changes: dict[str, str]) -> None:
    assert found(**changes) == [f"value = {(PLAIN | changes)['forward']}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"handed": "other"},
        {"alias": "model = other_model", "forward": "model(x, y)"},
        {"forward": "model.state_dict()"},
        {"each": "_ in range(3)"},
        {"forward": "criterion(x, y)"},
    ],
    ids=["another model", "rebound", "no forward", "a warm-up", "a loss"],
)
def test_what_is_not_the_trained_model_or_no_evaluation_is_silent(changes: dict[str, str]) -> None:
    assert found(**changes) == []
