"""What goes along with a watched run: stress, and curves for TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from ampfix.cli.main import main
from ampfix.watch import Watch
from ampfix.watch.board import Board
from ampfix.watch.stress import OUTLIER, TINY, Stress
from tests.watch.toy import batch, model, train


class Seen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = model()
        self.largest: list[float] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.largest.append(float(inputs.abs().max()))
        out: torch.Tensor = self.inner(inputs)
        return out


def fit(net: nn.Module, steps: int) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-9)
    for step in range(steps):
        optimizer.zero_grad()
        net(batch(step)[0]).square().mean().backward()
        optimizer.step()


def test_some_batches_get_an_outlier_and_some_are_tiny() -> None:
    plain, net = Seen(), Seen()
    fit(plain, 17)
    stress = Stress()
    with Watch(tell=lambda _: None, companions=[stress]):
        fit(net, 17)
    ratios = [one / other for one, other in zip(net.largest, plain.largest, strict=True)]
    changed = {step: ratio for step, ratio in enumerate(ratios) if ratio != 1.0}
    assert sorted(changed) == [4, 8, 12, 16]
    assert changed[8] == changed[16] == TINY
    assert 1 < changed[4] <= OUTLIER
    assert stress.changed == 4


def test_evaluations_and_tokens_are_not_stressed() -> None:
    net = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    stress, seen = Stress(), Seen().eval()
    with Watch(tell=lambda _: None, companions=[stress]):
        for _ in range(9):
            optimizer.zero_grad()
            net(torch.arange(9)).square().mean().backward()
            optimizer.step()
            seen(batch(0)[0])
    assert stress.changed == 0
    assert len(set(seen.largest)) == 1


def test_stress_finds_the_loop_that_steps_on_whatever_comes() -> None:
    def steps() -> None:
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        for step in range(24):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = net(batch(step)[0]).float().square().square().mean()
            loss.backward()
            optimizer.step()

    quiet, loud = Watch(tell=lambda _: None), Watch(tell=lambda _: None, companions=[Stress()])
    with quiet:
        torch.manual_seed(0)
        fit(model(), 24)
    with loud:
        steps()
    assert quiet.alarms == []
    assert "AMP411" in {alarm.code for alarm in loud.alarms}


class Writer:
    def __init__(self, folder: str) -> None:
        self.folder, self.scalars, self.closed = folder, list[tuple[str, float, int]](), False

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def close(self) -> None:
        self.closed = True


def test_curves_go_to_tensorboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package: Any = ModuleType("torch.utils.tensorboard")
    package.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", package)
    board = Board(tmp_path)
    with Watch(tell=lambda _: None, companions=[board]):
        train(model(), 5)
    writer = board._writer
    assert writer.closed
    assert {step for name, _, step in writer.scalars if name == "AdamW-0/loss"} == set(range(5))
    assert {value for name, value, _ in writer.scalars if name == "AdamW-0/skipped"} == {0.0, 1.0}


def test_without_tensorboard_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    (tmp_path / "train.py").write_text("raise SystemExit('it ran')\n")
    code = main(["watch", "--tensorboard", str(tmp_path / "board"), "--", str(tmp_path / "train.py")])
    told = capsys.readouterr().err
    assert code == 2
    assert told.count("\n") == 1
    assert "--tensorboard" in told
