"""AMP203 leaves a private function alone that its project mentions nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.lint import check_paths

_RUNNER = """\
import torch

class Runner:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.scaler = torch.amp.GradScaler("cuda")

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

{before}    def {name}(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
"""


def _lines(folder: Path, name: str = "_restore", before: str = "", other: str = "") -> list[int]:
    (folder / ".git").mkdir()  # else what other tests leave beside it would count to the project
    (folder / "runner.py").write_text(_RUNNER.format(name=name, before=before))
    (folder / "other.py").write_text(other)
    return [one.span.start.line for one in check_paths([str(folder)]).findings if one.code == "AMP203"]


def test_leaves_a_private_function_alone_that_nothing_mentions(tmp_path: Path) -> None:
    assert _lines(tmp_path) == []


@pytest.mark.parametrize(
    "other",
    [
        "def go(runner):\n    runner._restore('last.pt')\n",
        "def go(runner, what):\n    getattr(runner, '_restore')('last.pt')\n",
        "def go(runner, what):\n    getattr(runner, f'_{what}')('last.pt')\n",
    ],
)
def test_tells_a_private_function_that_another_file_may_call(tmp_path: Path, other: str) -> None:
    assert _lines(tmp_path, other=other) == [20]


def test_tells_a_function_of_others(tmp_path: Path) -> None:
    assert _lines(tmp_path, name="restore") == [20]


def test_tells_a_private_function_that_a_decorator_registers(tmp_path: Path) -> None:
    assert _lines(tmp_path, before="    @registered\n") == [21]
