"""AMP304 knows context managers and decorators of the file itself that record no gradients."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

LOOP = """\
import contextlib
import functools

import torch

@contextlib.contextmanager
def evaluating(model):
    was = model.training
    model.eval()
    with {entered}:
        yield
    model.train(was)

def quietly(function):
    @functools.wraps(function)
    def wrapper(model, *args):
        with {entered}:
            return function(model, *args)
    return wrapper

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

{evaluation}
"""
MANAGED = """\
def hits(model, loader):
    with evaluating(model):
        return sum((model(x).argmax(1) == y).sum() for x, y in loader)
"""
DECORATED = """\
@quietly
def hits(model, loader):
    return sum((model(x).argmax(1) == y).sum() for x, y in loader)
"""


def found(entered: str, evaluation: str) -> list[str]:
    text = LOOP.format(entered=entered, evaluation=evaluation)
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize("evaluation", [MANAGED, DECORATED], ids=["manager", "decorator"])
@pytest.mark.parametrize("entered", ["torch.no_grad()", "torch.inference_mode()"])
def test_what_runs_without_gradients_is_an_evaluation(entered: str, evaluation: str) -> None:
    assert found(entered, evaluation) == ["return sum((model(x).argmax(1) == y).sum() for x, y in loader)"]


@pytest.mark.parametrize("evaluation", [MANAGED, DECORATED], ids=["manager", "decorator"])
@pytest.mark.parametrize("entered", ["torch.enable_grad()", "lock"])
def test_what_records_them_is_none(entered: str, evaluation: str) -> None:
    assert found(entered, evaluation) == []


def test_a_manager_that_opens_the_region_covers_what_it_runs() -> None:
    assert found('torch.no_grad(), torch.autocast("cuda")', MANAGED) == []


SCRIPT = """\
import torch

class Trainer:
    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    {decorator}
    def {name}(self, loader):
        with torch.no_grad():
            for x, y in loader:
                print(self.model(x, y))

if {test}:
    Trainer().train(loader()){called}
"""
PLAIN = {"decorator": "", "name": "validate", "called": "", "test": '__name__ == "__main__"'}


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({"decorator": "@torch.no_grad()"}, 0),
        ({"called": "; Trainer().validate(loader())"}, 1),
        ({"decorator": "@app.command()"}, 1),
        ({"name": "on_epoch_end"}, 1),
        ({"test": "RUNS"}, 1),
    ],
    ids=["never", "quiet", "called", "registered", "a hook", "a module"],
)
def test_a_method_that_a_script_never_mentions_never_runs(changes: dict[str, str], count: int) -> None:
    text = SCRIPT.format(**PLAIN | changes)
    assert len(check_source(text, "train.py", Settings(select=("AMP304",)))) == count
