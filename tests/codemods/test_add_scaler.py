"""A float16 loop gets the whole protocol, in the right places."""

from __future__ import annotations

import pytest

from ampfix.codemods import CannotRepair
from tests.codemods.repairs import repair, repaired


def scaled(text: str, optimizer: str = "opt", backward: str = "loss.backward()") -> str:
    return repaired(text, repair("add_scaler", text, backward, optimizer=optimizer))


def test_scale_unscale_step_update_and_guarded_scheduler() -> None:
    before = """\
import torch

def train(model, data, use_amp):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    sched = torch.optim.lr_scheduler.StepLR(opt, 10)
    epochs = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)
    for epoch in range(3):
        for i, (x, y) in enumerate(data):
            with torch.autocast('cuda', enabled=use_amp):
                loss = model(x, y) / 4
            loss.backward()  # accumulate
            if (i + 1) % 4 == 0:
                # keep it stable
                if clip:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                opt.step()
                sched.step()
                opt.zero_grad()
        epochs.step()
"""
    assert (
        scaled(before)
        == """\
import torch

def train(model, data, use_amp):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    sched = torch.optim.lr_scheduler.StepLR(opt, 10)
    epochs = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)
    scaler = torch.amp.GradScaler('cuda', enabled=use_amp)
    for epoch in range(3):
        for i, (x, y) in enumerate(data):
            with torch.autocast('cuda', enabled=use_amp):
                loss = model(x, y) / 4
            scaler.scale(loss).backward()  # accumulate
            if (i + 1) % 4 == 0:
                # keep it stable
                scaler.unscale_(opt)
                if clip:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                scaler.step(opt)
                scale_before = scaler.get_scale()
                scaler.update()
                if scaler.get_scale() >= scale_before:
                    sched.step()
                opt.zero_grad()
        epochs.step()
"""
    )


def test_a_trainer_keeps_its_scaler_beside_its_optimizer() -> None:
    before = """\
import torch
class T:
    def __init__(self, model):
        self.opt = torch.optim.Adam(model.parameters())
        self.model = model
    def step(self, x):
        (self.model(x) / 2).backward(retain_graph=True)
        self.opt.step()
"""
    assert (
        scaled(before, "self.opt", "(self.model(x) / 2).backward(retain_graph=True)")
        == """\
import torch
class T:
    def __init__(self, model):
        self.opt = torch.optim.Adam(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.model = model
    def step(self, x):
        self.scaler.scale(self.model(x) / 2).backward(retain_graph=True)
        self.scaler.step(self.opt)
        self.scaler.update()
"""
    )


def test_the_import_dialect_of_the_file_is_followed() -> None:
    before = "from torch.amp import autocast, GradScaler\nfor x in d:\n    loss.backward()\n    opt.step()\n"
    assert 'scaler = GradScaler("cuda")\nfor' in scaled(before)
    before = "from torch import amp as tamp\nfor x in d:\n    loss.backward()\n    opt.step()\n"
    assert 'scaler = tamp.GradScaler("cuda")\nfor' in scaled(before)


def test_an_old_torch_gets_the_scaler_it_has() -> None:
    text = "import torch\nfor x in d:\n    loss.backward()\n    opt.step()\n"
    after = repaired(text, repair("add_scaler", text, "loss.backward()", optimizer="opt", floor="2.1"))
    assert "scaler = torch.cuda.amp.GradScaler()\n" in after


EPOCHS = """\
import torch

def train_one_epoch(model, loader, opt):
    for x in loader:
        with torch.autocast("cuda"):
            loss = model(x)
        loss.backward()
        opt.step()

def main(model, loader, opt):
    for epoch in range(9):
        train_one_epoch(model, loader, opt)
        evaluate(model)
"""


def test_a_function_that_runs_once_an_epoch_is_handed_the_scaler() -> None:
    assert (
        scaled(EPOCHS)
        == """\
import torch

def train_one_epoch(model, loader, opt, scaler):
    for x in loader:
        with torch.autocast("cuda"):
            loss = model(x)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()

def main(model, loader, opt):
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(9):
        train_one_epoch(model, loader, opt, scaler=scaler)
        evaluate(model)
"""
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model, loader, opt", "model, loader, opt, scaler"),
        ("model, loader, opt, log=None", "model, loader, opt, log=None, *, scaler"),
        ("model, loader, opt, **more", "model, loader, opt, *, scaler, **more"),
        ("model, loader, *, opt", "model, loader, *, opt, scaler"),
        ("\n    model,\n    loader,\n    opt,\n", "\n    model,\n    loader,\n    opt,\n    scaler,\n"),
    ],
)
def test_the_parameter_goes_where_no_call_changes_its_meaning(old: str, new: str) -> None:
    text = EPOCHS.replace("epoch(model, loader, opt):", f"epoch({old}):")
    assert f"def train_one_epoch({new}):" in scaled(text)


def test_a_function_that_is_used_otherwise_is_not_changed() -> None:
    with pytest.raises(CannotRepair, match="hand it in"):
        scaled(EPOCHS + "register(train_one_epoch)\n")
    with pytest.raises(CannotRepair, match="hand the scaler in"):
        scaled(EPOCHS + "train_one_epoch(1, 2, 3)\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import torch\ndef f():\n    loss.backward()\n    opt.step()\n", "hand it in"),
        ("import torch\nfor x in d:\n    loss.backward()\n    opt.step(closure)\n", "closure"),
        ("import torch\nfor x in d:\n    loss.backward()\n", "does not stand in the loop"),
        (
            "import torch\nfor x in d:\n    loss.backward()\n    clip_grad_norm_(p, 1)\n    if last:\n"
            "        opt.step()\n",
            "another block",
        ),
        ("for x in d:\n    loss.backward()\n    opt.step()\n", "not imported"),
    ],
)
def test_loops_it_cannot_follow_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        scaled(text)
