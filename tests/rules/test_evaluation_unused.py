"""AMP304 leaves methods alone that their small project mentions nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.lint import check_paths

_TRAINER = """\
import torch

class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.scaler = torch.amp.GradScaler("cuda")

    def {trains}(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    @torch.no_grad()
    def {evaluates}(self, loader):
        for x, y in loader:
            print(self.model(x, y))
"""
_RUN = "from trainer import Trainer\n\ndef run(model, loader):\n    trainer = Trainer(model)\n"


def _lines(folder: Path, run: str, trains: str = "fit", evaluates: str = "measure") -> list[int]:
    (folder / ".git").mkdir()  # else what other tests leave beside it would count to the project
    (folder / "trainer.py").write_text(_TRAINER.format(trains=trains, evaluates=evaluates))
    (folder / "run.py").write_text(_RUN + run)
    return [one.span.start.line for one in check_paths([str(folder)]).findings if one.code == "AMP304"]


@pytest.mark.parametrize(
    "run",
    [
        "    trainer.fit(loader)\n    trainer.measure(loader)\n",
        "    trainer.fit(loader)\n    getattr(trainer, 'measure')(loader)\n",
        "    for name in ('it', 'easure'):\n        getattr(trainer, f'{name}')(loader)\n",
    ],
)
def test_tells_methods_that_the_project_mentions(tmp_path: Path, run: str) -> None:
    assert _lines(tmp_path, run) == [20]


@pytest.mark.parametrize("run", ["    trainer.fit(loader)\n", "    trainer.measure(loader)\n"])
def test_leaves_a_method_alone_that_nothing_mentions(tmp_path: Path, run: str) -> None:
    assert _lines(tmp_path, run) == []


def test_tells_what_a_framework_calls(tmp_path: Path) -> None:
    run = "    trainer.fit(loader)\n"
    assert _lines(tmp_path, run, evaluates="validation_step") == [20]


def test_tells_methods_of_a_class_that_the_project_makes_no_object_of(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "trainer.py").write_text(_TRAINER.format(trains="fit", evaluates="measure"))
    assert [one.code for one in check_paths([str(tmp_path)]).findings if one.code == "AMP304"] == ["AMP304"]
