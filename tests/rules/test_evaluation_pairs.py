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


LOOP = """\
import torch

def compute(model, x, y):
    return torch.nn.functional.mse_loss(model(x), y)

def train(model, loader, validation, scaler, optimizer, schedulers):
    for step, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = {forward}
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        {occasion}
            with torch.no_grad():
                shown = model(x)
"""


def found_in(text: str) -> list[int]:
    return [one.span.start.line for one in check_source(text, "loop.py", Settings(select=("AMP304",)))]


def test_a_training_loop_that_switches_to_evaluation_now_and_then_evaluates() -> None:
    occasion = "if step % 100 == 0:\n            model.eval()"
    assert found_in(LOOP.format(forward="model(x).mean()", occasion=occasion)) == [17]
    assert found_in(LOOP.format(forward="compute(model, x, y)", occasion=occasion)) == [17]


def test_a_forward_without_gradients_in_every_turn_of_training_is_no_evaluation() -> None:
    assert found_in(LOOP.format(forward="model(x).mean()", occasion="if step > 100:")) == []


BOTH = """\
import torch

def run_epoch(model, loader, optimizer=None, scaler=None, use_amp=True):
    model.train(optimizer is not None)
    on = scaler is not None
    for x, y in loader:
        with torch.autocast("cuda", enabled={switch}):
            loss = model(x, y)
        if optimizer is not None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

def main(model, loader, validation, optimizer, scaler):
    for epoch in range(10):
        run_epoch(model, loader, optimizer, scaler)
        run_epoch(model, validation{handed})
"""


@pytest.mark.parametrize("handed", ["", ", None, None", ", optimizer=None, scaler=None"])
@pytest.mark.parametrize("switch", ["on", "scaler is not None"])
def test_a_call_that_switches_the_region_off_evaluates_without_it(handed: str, switch: str) -> None:
    assert found_in(BOTH.format(handed=handed, switch=switch)) == [17]


def test_a_region_switched_by_something_else_stays_on_in_evaluation() -> None:
    assert found_in(BOTH.format(handed="", switch="use_amp")) == []
    assert found_in(BOTH.format(handed=", None, scaler", switch="on")) == []


def test_the_reason_names_the_first_of_several_names_that_are_unknown() -> None:
    names = ("third", "first", "second", "fourth", "fifth", "sixth")
    switch = f"enabled=({' or '.join(names)})"
    text = TRAINING.format(**PLAIN).replace(
        "        with torch.autocast", f"        {' = '.join(names)} = use()\n        with torch.autocast"
    )
    findings = check_source(
        text.replace('autocast("cuda")', f'autocast("cuda", {switch})'), "loop.py", Settings(select=("AMP304",))
    )
    assert [one.no_fix_reason.partition(",")[0] for one in findings] == ["third"]
