"""AMP203 and AMP304 leave methods alone that their small project mentions nowhere."""

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

    def fit(self, loader):
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

{before}    def {restores}(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
"""
_MAKES = "from trainer import Trainer\n\ndef run(model, loader):\n    trainer = Trainer(model)\n"
_FITS = f"{_MAKES}    trainer.fit(loader)\n"
_PUT_TOGETHER = f"{_FITS}    for name in ('measure', 'restore'):\n        getattr(trainer, f'_{{name}}')(loader)\n"


def _lines(
    code: str,
    folder: Path,
    other: str = "",
    *,
    evaluates: str = "measure",
    restores: str = "_restore",
    before: str = "",
) -> list[int]:
    (folder / ".git").mkdir()  # else what other tests leave beside it would count to the project
    (folder / "trainer.py").write_text(_TRAINER.format(evaluates=evaluates, restores=restores, before=before))
    (folder / "run.py").write_text(other)
    return [one.span.start.line for one in check_paths([str(folder)]).findings if one.code == code]


def test_amp203_leaves_a_private_function_alone_that_nothing_mentions(tmp_path: Path) -> None:
    assert _lines("AMP203", tmp_path) == []


@pytest.mark.parametrize(
    "other",
    [
        "def go(trainer):\n    trainer._restore('last.pt')\n",
        "def go(trainer):\n    getattr(trainer, '_restore')('last.pt')\n",
        _PUT_TOGETHER,
    ],
)
def test_amp203_tells_a_private_function_that_another_file_may_call(tmp_path: Path, other: str) -> None:
    assert _lines("AMP203", tmp_path, other) == [25]


def test_amp203_tells_a_function_of_others(tmp_path: Path) -> None:
    assert _lines("AMP203", tmp_path, restores="restore") == [25]


def test_amp203_tells_a_private_function_that_a_decorator_registers(tmp_path: Path) -> None:
    assert _lines("AMP203", tmp_path, before="    @registered\n") == [26]


@pytest.mark.parametrize(
    "other",
    [
        f"{_FITS}    trainer.measure(loader)\n",
        f"{_FITS}    getattr(trainer, 'measure')(loader)\n",
        _PUT_TOGETHER,
        "",  # no object of the class is made here
    ],
)
def test_amp304_tells_methods_that_may_be_called(tmp_path: Path, other: str) -> None:
    assert _lines("AMP304", tmp_path, other) == [20]


@pytest.mark.parametrize("other", [_FITS, f"{_MAKES}    trainer.measure(loader)\n"])
def test_amp304_leaves_a_method_alone_that_nothing_mentions(tmp_path: Path, other: str) -> None:
    assert _lines("AMP304", tmp_path, other) == []


def test_amp304_tells_what_a_framework_calls(tmp_path: Path) -> None:
    assert _lines("AMP304", tmp_path, _FITS, evaluates="validation_step") == [20]
