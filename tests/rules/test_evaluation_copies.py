"""AMP304 knows averages and copies of the model that is trained, whoever fills or hands back them."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

TRAINING = """\
import copy
import torch
from nets import EMA, Net

def train(cfg, loader, held_out):
    model = Net(cfg).cuda()
    {before}
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    {copy}
    with torch.no_grad():
        for x, y in held_out:
            print({call}(x, y))
"""
AVERAGE = "ema = EMA(model, 0.999)"


def found(before: str, copied: str, call: str) -> list[str]:
    text = TRAINING.format(before=before, copy=copied, call=call)
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize(
    ("before", "copied", "call"),
    [
        (AVERAGE, "", "ema.shadow"),
        (AVERAGE, "", "ema.model"),
        (AVERAGE, "fresh = Net(cfg); ema.copy_to(fresh); fresh.eval()", "fresh"),
        (AVERAGE, "fresh = Net(cfg); ema.copy_to(fresh.parameters()); fresh.eval()", "fresh"),
        (AVERAGE, "fresh = Net(cfg); fresh.load_state_dict(ema.shadow); fresh.eval()", "fresh"),
        (AVERAGE, "fresh_net = ema.ema_copy(model)", "fresh_net"),
        ("", "fresh = Net(cfg); fresh.load_state_dict(model.state_dict()); fresh.eval()", "fresh"),
        ("", "best = dict(model.state_dict()); one = Net(cfg); one.load_state_dict(best); one.eval()", "one"),
        ("", 'best = Net(cfg).cuda(); best.load_state_dict(torch.load("best.pt")); best.eval()', "best"),
    ],
)
def test_a_copy_is_the_model_that_it_was_made_of(before: str, copied: str, call: str) -> None:
    assert found(before, copied, call) == [f"print({call}(x, y))"]


@pytest.mark.parametrize(
    ("before", "copied", "call"),
    [
        ("other = Net(cfg); ema = EMA(other)", "", "ema.shadow"),
        (AVERAGE, "fresh = Net(cfg); fresh.eval()", "fresh"),
        ("fresh = Net(cfg)", "model.load_state_dict(fresh.state_dict()); fresh.eval()", "fresh"),
        ("", 'teacher = Net(cfg).cuda(); teacher.load_state_dict(torch.load("t.pt")); teacher.eval()', "teacher"),
        ("", 'best = Net(cfg.small); best.load_state_dict(torch.load("b.pt")); best.eval()', "best"),
    ],
)
def test_another_model_is_left_alone(before: str, copied: str, call: str) -> None:
    assert found(before, copied, call) == []


OBJECT = """\
import torch

class Distiller:
    def __init__(self, student, teacher, optimizer):
        self.student, self.teacher, self.optimizer = student, teacher, optimizer
        self.scaler = torch.amp.GradScaler()

    def bare(self):
        return {returned}

    def fit(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.student(x, y)
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    @torch.no_grad()
    def validate(self, loader):
        model = self.bare()
        model.eval()
        for x, y in loader:
            print(model(x, y))
"""


@pytest.mark.parametrize(
    ("returned", "count"),
    [
        ("self.student.module if self.wrapped else self.student", 1),
        ("self.teacher.module if self.wrapped else self.teacher", 0),
        ("Net(self.cfg)", 0),
    ],
)
def test_what_a_helper_hands_back_is_known_by_it(returned: str, count: int) -> None:
    text = OBJECT.format(returned=returned)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count
