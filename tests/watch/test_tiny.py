"""A model too small for mixed precision is told of where its source says that it stays so."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from ampfix.emulate import cuda
from ampfix.watch import Watch

LOOP = """\
import torch
from torch import nn


def train(model, rows):
    {build}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(torch.randn(rows, 16, device="cuda")).float().square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""
OWN = "model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).cuda()"
PASSED = "model = model.cuda()"


def told(folder: Path, build: str, rows: int) -> list[tuple[str, str, int, int]]:
    path = folder / "train.py"
    path.write_text(LOOP.format(build=build))
    watch = Watch(root=folder, tell=lambda _: None)
    with cuda():
        train = runpy.run_path(str(path))["train"]
        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
        torch.manual_seed(0)
        with watch:
            train(model, rows)
    return [(alarm.code, alarm.path, alarm.line, alarm.step) for alarm in watch.alarms]


def test_a_file_that_builds_a_tiny_model_is_told_of_in_the_first_step(tmp_path: Path) -> None:
    assert told(tmp_path, OWN, 8) == [("AMP504", "train.py", 11, 0)]


@pytest.mark.parametrize(
    ("build", "rows"),
    [
        (PASSED, 8),  # the loop is for models of any size
        (OWN, 200_000),  # so many rows are worth a launch
    ],
    ids=["passed", "rows"],
)
def test_other_loops_are_left_alone(tmp_path: Path, build: str, rows: int) -> None:
    assert told(tmp_path, build, rows) == []
