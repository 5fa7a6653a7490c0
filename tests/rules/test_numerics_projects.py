"""Losses and layers of one file that another file runs in the region of a third."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.findings import Severity
from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project

LOSSES = """\
import torch
from torch import nn

class Careless(nn.Module):
    def forward(self, logits, y):
        return -(y * torch.log(torch.sigmoid(logits) + 1e-8)).mean()

class Careful(nn.Module):
    def forward(self, logits, y):
        return -(y * torch.log(torch.sigmoid(logits.float()) + 1e-8)).mean()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 8)

    def forward(self, x):
        return self.head(x)

def build_loss(name):
    if name == "careless":
        return Careless()
    return nn.BCEWithLogitsLoss()
"""
ENGINE = """\
import torch
from torch import nn

def train_one_epoch(model, criterion, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda", dtype={dtype}, enabled={enabled}):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

class Trainer:
    def __init__(self, model, criterion, optimizer, scaler):
        self.model, self.optimizer, self.scaler = model, optimizer, scaler
        self.criterion = criterion

    def fit(self, loader):
        for epoch in range(3):
            self.epoch(loader)

    def epoch(self, loader):
        for x, y in loader:
            self.scaler.scale(self.loss(x, y)).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()

    def loss(self, x, y):
        with torch.autocast("cuda", dtype={dtype}, enabled={enabled}):
            return self.criterion(self.model(x), y)
"""
SCRIPT = """\
import torch
from torch.nn.parallel import DistributedDataParallel as DDP
from engine import Trainer, train_one_epoch
from losses import Careful, Careless, Net, build_loss

def main(loader, name, world_size):
    model = Net()
    model = model.cuda()
    if world_size > 1:
        model = DDP(model)
    criterion = {criterion}
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    {trains}
"""
FUNCTION = "train_one_epoch(model, criterion, loader, optimizer, scaler)"
OBJECT = "Trainer(model, criterion, optimizer, scaler).fit(loader)"
NAMED = "trainer = Trainer(model, criterion=criterion, optimizer=optimizer, scaler=scaler)\n    trainer.fit(loader)"


def found(folder: Path, files: dict[str, str]) -> list[tuple[str, str, str]]:
    """Each finding as its file, its code and the line it stands in."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    shown = []
    for name, text in files.items():
        lines = text.splitlines()
        findings = check_text(text, str(folder / name), Settings(select=("AMP4",)), Project()).findings
        shown += [(name, one.code, lines[one.span.start.line - 1].strip()) for one in findings]
    return shown


def project(
    *, trains: str, criterion: str = "Careless()", dtype: str = "torch.float16", enabled: str = "True"
) -> dict[str, str]:
    engine = ENGINE.format(dtype=dtype, enabled=enabled)
    return {
        "losses.py": LOSSES,
        "engine.py": engine,
        "train.py": SCRIPT.format(trains=trains, criterion=criterion),
    }


@pytest.mark.parametrize("trains", [FUNCTION, OBJECT, NAMED], ids=["function", "object", "named object"])
@pytest.mark.parametrize("criterion", ["Careless()", "build_loss(name)"])
def test_what_a_script_hands_to_a_region_of_another_file_is_told_in_the_script(
    tmp_path: Path, trains: str, criterion: str
) -> None:
    told = found(tmp_path, project(trains=trains, criterion=criterion))
    assert told == [("train.py", "AMP402", trains.splitlines()[-1].strip())]


@pytest.mark.parametrize("trains", [FUNCTION, OBJECT, NAMED], ids=["function", "object", "named object"])
@pytest.mark.parametrize(
    "change",
    [
        {"criterion": "Careful()"},
        {"criterion": "torch.nn.BCEWithLogitsLoss()"},
        {"enabled": "False"},
        {"dtype": "torch.bfloat16"},
    ],
    ids=["in float32", "of torch", "switched off", "bfloat16"],
)
def test_what_is_right_there_is_silent(tmp_path: Path, trains: str, change: dict[str, str]) -> None:
    assert not found(tmp_path, project(trains=trains, **change))


@pytest.mark.parametrize("trains", [FUNCTION, OBJECT], ids=["function", "object"])
@pytest.mark.parametrize(
    ("criterion", "codes"), [("torch.nn.BCELoss()", ["AMP403"]), ("torch.nn.BCEWithLogitsLoss()", [])]
)
def test_a_loss_of_torch_that_is_handed_in_is_told_in_the_script(
    tmp_path: Path, trains: str, criterion: str, codes: list[str]
) -> None:
    told = found(tmp_path, project(trains=trains, criterion=criterion))
    assert [(file, code) for file, code, _ in told] == [("train.py", code) for code in codes]


def test_what_the_file_of_the_region_sees_by_itself_is_told_there_alone(tmp_path: Path) -> None:
    files = project(trains=FUNCTION, criterion="Careful()")
    files["engine.py"] = files["engine.py"].replace(
        "loss = criterion(model(x), y)", "loss = criterion(model(x), y) + nn.Linear(8, 8)(x).sigmoid().log().mean()"
    )
    assert [(file, code) for file, code, _ in found(tmp_path, files)] == [("engine.py", "AMP402")]


def test_a_line_of_another_file_is_told_once_and_where_it_is_suppressed_not_at_all(tmp_path: Path) -> None:
    files = project(trains=f"{FUNCTION}\n    {OBJECT}")
    assert [line for _, _, line in found(tmp_path, files)] == [FUNCTION]
    files["train.py"] = files["train.py"].replace(FUNCTION, f"{FUNCTION}  # noqa: AMP402")
    assert not found(tmp_path, files)


CHOICE = """\
import torch
import torch.nn.functional as F
from torch import nn

class Raises(nn.Module):
    def forward(self, p, y):
        return F.binary_cross_entropy(p, y)

class Works(nn.Module):
    def forward(self, logits, y):
        return F.binary_cross_entropy_with_logits(logits, y)

def build(name):
    if name == "raises":
        return Raises()
    return {other}()

def main(loader, name):
    net, criterion = nn.Linear(8, 8).cuda(), None
    criterion = build(name)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(net(x), y)
"""


@pytest.mark.parametrize(("other", "severity"), [("Works", Severity.NOTE), ("Raises", Severity.ERROR)])
def test_what_one_choice_of_a_configuration_does_is_a_note(tmp_path: Path, other: str, severity: Severity) -> None:
    text = CHOICE.format(other=other)
    (finding,) = check_text(text, str(tmp_path / "train.py"), Settings(select=("AMP403",))).findings
    assert finding.severity is severity


ANNOTATED = """\
import torch
from losses import {imported}

class Trainer:
    def __init__(self, model{annotation}):
        self.model = model

    def step(self, x, y):
        with torch.autocast("cuda"):
            return self.model(x, y)
"""


@pytest.mark.parametrize(
    ("annotation", "imported", "codes"),
    [
        (": Careless", "Careless", ["AMP402"]),
        (": 'Careless'", "Careless", ["AMP402"]),
        (": Careful", "Careful", []),
        ("", "Careless", []),
    ],
)
def test_an_object_that_callers_hand_in_is_what_its_annotation_says(
    tmp_path: Path, annotation: str, imported: str, codes: list[str]
) -> None:
    trainer = ANNOTATED.format(annotation=annotation, imported=imported)
    told = found(tmp_path, {"losses.py": LOSSES.replace("(logits", "(torch.mm(logits, y)"), "trainer.py": trainer})
    assert [code for _, code, _ in told] == codes


TEMPLATE = """\
import torch
from torch import nn

class Base:
    def __init__(self):
        self.net = nn.Linear(8, 8)

    def step(self, x, y):
        with torch.autocast("cuda"):
            return self.loss(self.net(x), y)

    def loss(self, out, y):
        raise NotImplementedError

class Log(Base):
    def loss(self, out, y):
        return {loss}

def main(x, y):
    Log().step(x, y)
"""


@pytest.mark.parametrize(
    ("loss", "codes"),
    [("torch.sigmoid(out).log().mean()", ["AMP402"]), ("torch.sigmoid(out.float()).log().mean()", [])],
)
def test_an_inherited_method_calls_what_the_subclass_overrides(tmp_path: Path, loss: str, codes: list[str]) -> None:
    assert [code for _, code, _ in found(tmp_path, {"train.py": TEMPLATE.format(loss=loss)})] == codes
