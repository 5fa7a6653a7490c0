"""One switch decides over scaling, unscaling and stepping, however the parts of the loop get to it: no bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.cli.main import main
from ampfix.lint import Settings, check_source

THROUGH_AN_ALIAS = """\
import torch

class Trainer:
    def __init__(self, model, config):
        self.model, self.config = model, config
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda", enabled=config.use_amp)

    def train(self, loader):
        cfg = self.config
        for i, batch in enumerate(loader):
            self.turn(batch)
            if (i + 1) % cfg.steps == 0:
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()

    def turn(self, batch):
        cfg = self.config
        with torch.autocast("cuda", enabled=cfg.use_amp):
            loss = self.model(batch).mean() / cfg.steps
        self.scaler.scale(loss).backward()
"""
BY_CLOSURE = """\
import torch

def main(args, model, optimizer, loader):
    scaler = torch.amp.GradScaler("cuda", enabled=args.precision == "fp16")

    def turn(x):
        scaler.scale(model(x).mean()).backward()

    def step(batch):
        optimizer.zero_grad()
        for x in batch:
            turn(x)
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    for batch in loader:
        step(batch)
"""
FROM_CALL_TO_CALL = """\
import torch

def step(model, optimizer, scaler, x, y, use_amp, clip):
    scaler.scale(model(x, y)).backward()
    if use_amp:
        scaler.unscale_(optimizer)
    if clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
"""
MANAGER = """\
import torch

class Manager:
    def __init__(self, dtype, enabled=True):
        self.needed = enabled and dtype == torch.float16
        self.scaler = torch.amp.GradScaler("cuda") if self.needed else None

    def backward(self, loss):
        if self.scaler is not None:
            self.scaler.scale(loss).backward()
        else:
            loss.backward()

    def unscale(self, optimizer):
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer):
        if self.scaler is not None:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
"""
HANDED_ON = """\
import torch
from manager import Manager

def step(loss, model, optimizer, manager):
    manager.backward(loss)
    if manager.needed:
        manager.scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    manager.step(optimizer)
    optimizer.zero_grad()

def train(model, optimizer, loader):
    manager = Manager(torch.float16)
    for x in loader:
        step(model(x).mean(), model, optimizer, manager)
"""
MANAGED = """\
import torch
from manager import Manager

class Trainer:
    def __init__(self, model, optimizer, dtype):
        self.model, self.optimizer = model, optimizer
        self.manager = Manager(dtype)

    def epoch(self, loader):
        for x in loader:
            self.optimizer.zero_grad()
            self.manager.backward(self.model(x).mean())
            if self.manager.GUARD:
                self.manager.unscale(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.manager.step(self.optimizer)
"""


@pytest.mark.parametrize("text", [THROUGH_AN_ALIAS, BY_CLOSURE, FROM_CALL_TO_CALL])
def test_one_switch_in_one_file_is_one_switch(text: str) -> None:
    assert check_source(text, "loop.py", Settings(select=("AMP1",))) == []


@pytest.mark.parametrize("guard", ["scaler", "needed", "scaler is not None"])
def test_what_another_file_builds_under_a_switch_is_there_under_the_switch(guard: str, tmp_path: Path) -> None:
    (tmp_path / "manager.py").write_text(MANAGER)
    (tmp_path / "trainer.py").write_text(MANAGED.replace("GUARD", guard))
    assert main(["check", "--no-cache", "--isolated", "--select", "AMP1", str(tmp_path)]) == 0


def test_the_backward_of_an_object_that_is_handed_on_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "manager.py").write_text(MANAGER)
    (tmp_path / "trainer.py").write_text(HANDED_ON)
    assert main(["check", "--no-cache", "--isolated", "--select", "AMP1", str(tmp_path)]) == 0


def test_without_the_unscaling_under_the_switch_it_is_a_bug() -> None:
    text = BY_CLOSURE.replace("        scaler.unscale_(optimizer)\n", "")
    assert [found.code for found in check_source(text, "loop.py", Settings(select=("AMP1",)))] == ["AMP101"]
