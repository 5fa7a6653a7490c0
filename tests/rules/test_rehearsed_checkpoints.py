"""Checkpoints of programs that dry runs follow through objects and files."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from ampfix.findings import Finding
from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project

PARTS = """\
import torch

class Parts:
    def __init__(self, model, enabled=True):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.grads = torch.amp.GradScaler("cuda", enabled=enabled)

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.optimizer.zero_grad()
            self.grads.scale(loss).backward()
            self.grads.step(self.optimizer)
            self.grads.update()
"""
MAIN = """\
import sys
import torch
from keeping import keep, load
from parts import Parts

def main(loader, resume):
    parts = Parts(torch.nn.Linear(2, 2))
    if resume:
        load(parts)
    for epoch in range(10):
        parts.train(loader)
        keep(parts, epoch)

if __name__ == "__main__":
    main(torch.load("data.pt"), len(sys.argv) > 1)
"""
KEEPING = """\
import torch

def keep(parts, epoch):
    torch.save({"model": parts.model.state_dict(), "optimizer": parts.optimizer.state_dict()}, f"{epoch}.pt")

def load(parts):
    state = torch.load("last.pt")
    parts.model.load_state_dict(state["model"])
    parts.optimizer.load_state_dict(state["optimizer"])
"""


def findings(folder: Path, name: str, **texts: str) -> list[Finding]:
    (folder / ".git").mkdir(exist_ok=True)  # else what other tests leave beside it would count to the project
    for stem, text in texts.items():
        (folder / f"{stem}.py").write_text(dedent(text), encoding="utf-8")
    path = folder / f"{name}.py"
    text = path.read_text(encoding="utf-8")
    return list(check_text(text, str(path), Settings(select=("AMP203",)), Project()).findings)


def lines(folder: Path, keeping: str, **others: str) -> list[int]:
    texts = {"main": MAIN, "parts": PARTS, "keeping": keeping, **others}
    return [one.span.start.line for name in texts for one in findings(folder, name, **texts)]


def test_an_optimizer_kept_by_another_file_is_told_once(tmp_path: Path) -> None:
    assert len(lines(tmp_path, KEEPING)) == 2


@pytest.mark.parametrize(
    "keeping",
    [
        KEEPING.replace(
            "optimizer.state_dict()}", 'optimizer.state_dict(), "scaler": parts.grads.state_dict()}'
        ).replace(
            'optimizer.load_state_dict(state["optimizer"])',
            'optimizer.load_state_dict(state["optimizer"])\n    parts.grads.load_state_dict(state["scaler"])',
        ),
        KEEPING.replace('"optimizer": parts.optimizer.state_dict()', "").replace(
            'parts.optimizer.load_state_dict(state["optimizer"])', "pass"
        ),
    ],
)
def test_a_scaler_kept_beside_is_not_told(tmp_path: Path, keeping: str) -> None:
    assert lines(tmp_path, keeping) == []


def test_a_scaler_that_is_off_is_not_told(tmp_path: Path) -> None:
    assert lines(tmp_path, KEEPING, main=MAIN.replace("nn.Linear(2, 2))", "nn.Linear(2, 2), enabled=False)")) == []
