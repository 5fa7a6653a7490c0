"""Runs that start at a function or a class."""

from __future__ import annotations

from ampfix.dryrun import DryRun, rehearse_function
from tests.dryrun.programs import Texts, told

_IMPORTS = "import torch\nfrom torch.cuda.amp import GradScaler\n"


def _root(text: str, name: str) -> DryRun:
    return rehearse_function("/p/main.py", name, Texts(main=_IMPORTS + text))


def test_runs_a_function_with_unknown_arguments() -> None:
    ran = _root("def save(model, scaler, path='x'):\n    torch.save({'s': scaler.state_dict()}, path)\n", "save")
    assert told(ran) == [("saved", "")]


def test_knows_an_argument_by_its_annotation() -> None:
    text = "def step(optimizer: torch.optim.Optimizer, scaler: GradScaler):\n    scaler.step(optimizer)\n"
    (event,) = _root(text, "step").events
    assert event.kind == "step" and event.subject.made_by.endswith("GradScaler")
    assert event.others[0].made_by == "torch.optim.Optimizer"


def test_decides_nothing_by_a_default() -> None:
    text = "def step(optimizer, scaler=None):\n    if scaler is not None:\n        scaler.step(optimizer)\n"
    assert told(_root(text, "step")) == [("step", "")]


def test_runs_the_methods_of_an_object() -> None:
    text = """
class Trainer:
    def __init__(self, optimizer):
        self.scaler, self.optimizer = GradScaler(), optimizer
    def fit(self, data):
        self._step()
    def _step(self):
        self.scaler.step(self.optimizer)
    def save(self, path):
        torch.save({"scaler": self.scaler.state_dict()}, path)
    @staticmethod
    def load(path, scaler):
        scaler.load_state_dict(torch.load(path))
"""
    ran = _root(text, "Trainer")
    assert told(ran) == [("step", "GradScaler"), ("saved", "GradScaler"), ("restored", "")]
    assert ran.events[0].subject is ran.events[1].subject


def test_does_not_run_what_is_not_there() -> None:
    assert _root("", "gone").events == ()
