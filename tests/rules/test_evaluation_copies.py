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
        (AVERAGE, "best = ema.ema", "best"),
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
        ("other = Net(cfg); ema = EMA(other)", "best = ema.ema", "best"),
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

    def both(self):
        return {returned}, self.optimizer

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
        {taken}
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
@pytest.mark.parametrize("taken", ["model = self.bare()", "model, optimizer = self.both()"])
def test_what_a_helper_hands_back_is_known_by_it(taken: str, returned: str, count: int) -> None:
    text = OBJECT.format(returned=returned, taken=taken)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count


STEPS = """\
import torch

class Painter:
    def __init__(self, generator, backbone, optimizer):
        self.generator, self.backbone, self.optimizer = generator, backbone, optimizer
        self.scaler = torch.amp.GradScaler()
        {freeze}

    def go_back(self, image, y):
        loss = (image - y).abs().mean()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

    def train(self, loader):
        for x, y in loader:
            {forward}
            self.go_back(image, y)

    @torch.no_grad()
    def paint(self, loader):
        return [{painted} for x in loader]
"""
PIECE = "for p in self.generator.encoder.parameters(): p.requires_grad_(False)"
COVERED = 'with torch.autocast("cuda"): image = self.generator(self.backbone(x))'


@pytest.mark.parametrize(
    ("freeze", "forward", "painted", "count"),
    [
        ("", COVERED, "self.generator(x)", 1),
        ("", COVERED, "self.generator.decoder(x)", 1),
        ("", "image = self.generator(self.backbone(x))", "self.generator(x)", 0),
        ("", COVERED, "self.backbone(x)", 1),
        ("self.backbone.requires_grad_(False)", COVERED, "self.backbone(x)", 0),
        ("for p in self.backbone.parameters(): p.requires_grad = False", COVERED, "self.backbone(x)", 0),
        ("self.backbone.requires_grad_(False); self.backbone.requires_grad_(True)", COVERED, "self.backbone(x)", 1),
        (
            "for p in self.generator.encoder.parameters(): p.requires_grad_(False)",
            COVERED,
            "self.generator.encoder(x)",
            0,
        ),
        (PIECE, COVERED, "self.generator(x)", 1),
    ],
)
def test_a_step_in_pieces_trains_what_is_not_frozen(freeze: str, forward: str, painted: str, count: int) -> None:
    text = STEPS.format(freeze=freeze, forward=forward, painted=painted)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count


def test_a_frozen_average_of_the_same_name_freezes_nothing_else() -> None:
    average = "\nclass Average:\n    def __init__(self, net):\n        self.generator = net.requires_grad_(False)\n"
    average += "        for p in self.generator.parameters(): p.requires_grad_(False)\n"
    text = STEPS.format(freeze="", forward=COVERED, painted="self.generator(x)") + average
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == 1
