"""Shapes of loops in which rules about scalers, dtypes and resuming speak or keep silent, also across files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project


def lines(code: str, folder: Path, **files: str) -> list[int]:
    """Where a rule speaks in main.py, which stands beside the other files."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    found = check_text(files["main"], str(folder / "main.py"), Settings(select=(code,)), Project()).findings
    return [finding.span.start.line for finding in found]


PICKS = """\
import torch

def pick():
    scaled = True
    dtype = torch.float16
    if torch.cuda.get_device_capability()[0] >= 8:
        dtype = torch.bfloat16{also}
    return dtype, scaled
"""
STEPS_WITH_PICKED = """\
import torch
from picks import pick

def train(model, loader, optimizer):
    dtype, scaled = pick()
    scaler = torch.amp.GradScaler("cuda", enabled=scaled)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


def test_a_switch_that_a_helper_hands_back_on_in_any_case_is_one_for_bfloat16_too(tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=STEPS_WITH_PICKED, picks=PICKS.format(also="")) == [6]


def test_a_switch_that_a_helper_chooses_with_the_dtype_is_left_alone(tmp_path: Path) -> None:
    chosen = PICKS.format(also="\n        scaled = False")
    assert lines("AMP204", tmp_path, main=STEPS_WITH_PICKED, picks=chosen) == []


@pytest.mark.parametrize(("also", "expected"), [("", []), ("\n        scaled = False", [9])])
def test_a_switch_that_is_always_on_does_not_differ_from_the_region(
    also: str, expected: list[int], tmp_path: Path
) -> None:
    assert lines("AMP208", tmp_path, main=STEPS_WITH_PICKED, picks=PICKS.format(also=also)) == expected


HANDED_BACK = """\
import torch

def parts(cfg):
    dtype = torch.float16 if cfg["dtype"] == "fp16" else torch.bfloat16
    region = torch.autocast("cuda", dtype=dtype){early}
    scaler = torch.amp.GradScaler("cuda")
    return region, scaler
"""


def test_a_scaler_handed_back_beside_a_region_that_may_be_bfloat16(tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=HANDED_BACK.format(early="")) == [6]


def test_a_helper_that_leaves_before_it_builds_a_scaler_for_bfloat16(tmp_path: Path) -> None:
    early = "\n    if dtype is torch.bfloat16:\n        return region, None"
    assert lines("AMP204", tmp_path, main=HANDED_BACK.format(early=early)) == []


REMEMBERED = """\
import torch

_dtype = None

def dtype():
    global _dtype
    if _dtype is None:
        _dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return _dtype

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda", enabled=torch.cuda.is_available())
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype()):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


def test_a_dtype_that_a_helper_remembers_in_a_global(tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=REMEMBERED) == [12]


RETURNS_FIRST = """\
import torch

class Precision:
    def __init__(self, use_bf16):
        self.scaler = None
        self.dtype = torch.float16
        if use_bf16:
            self.dtype = torch.bfloat16{leaves}
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, model, x, optimizer):
        with torch.autocast("cuda", dtype=self.dtype):
            loss = model(x)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
"""


@pytest.mark.parametrize(("leaves", "expected"), [("", [9]), ("\n            return", [])])
def test_a_scaler_that_is_only_built_where_no_return_left_with_bfloat16(
    leaves: str, expected: list[int], tmp_path: Path
) -> None:
    assert lines("AMP204", tmp_path, main=RETURNS_FIRST.format(leaves=leaves)) == expected


CONFIGURED = """\
import torch
from dataclasses import dataclass

@dataclass
class Config:
    use_amp: bool = True
    dtype: torch.dtype = torch.{dtype}

class Trainer:
    def __init__(self, config: Config):
        self.config = config
        self.scaler = torch.amp.GradScaler("cuda", enabled=config.use_amp)

    def step(self, model, x, optimizer):
        with torch.autocast("cuda", dtype=self.config.dtype, enabled=self.config.use_amp):
            loss = model(x)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
"""


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", [12]), ("float16", [])])
def test_a_dtype_that_a_configuration_sets_by_default(dtype: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=CONFIGURED.format(dtype=dtype)) == expected


SEVERAL = """\
import torch

def train(parts, loader, path):
    optimizers = [torch.optim.Adam(part.parameters()) for part in parts]
    scaler = torch.amp.GradScaler("cuda")
    checkpoint = torch.load(path)
    for optimizer, state in zip(optimizers, checkpoint["optimizers"]):
        optimizer.load_state_dict(state){restored}
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = parts[0](x, y)
        scaler.scale(loss).backward()
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        for optimizer in optimizers:
            optimizer.zero_grad()
    torch.save({{"optimizers": [one.state_dict() for one in optimizers]{saved}}}, path)
"""


def test_states_of_several_optimizers_kept_without_their_scaler(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=SEVERAL.format(restored="", saved="")) == [8, 18]
    restored, saved = '\n    scaler.load_state_dict(checkpoint["scaler"])', ', "scaler": scaler.state_dict()'
    assert lines("AMP203", tmp_path, main=SEVERAL.format(restored=restored, saved=saved)) == []


GATHERED = """\
import torch

def train(models, loader, path):
    parts = {{}}
    for name, model in models.items():
        parts[name] = [model, torch.optim.Adam(model.parameters())]
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = models["first"](x, y)
        scaler.scale(loss).backward()
        for name in parts:
            scaler.step(parts[name][-1])
        scaler.update()
    states = {{}}
    for name in parts:
        states[name] = []
        states[name].append(parts[name][{saved}].state_dict())
    torch.save(states, path)
"""


@pytest.mark.parametrize(("saved", "expected"), [("1", [18]), ("-1", [18]), ("0", [])])
def test_an_element_counts_as_the_optimizer_by_its_place(saved: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=GATHERED.format(saved=saved)) == expected


SPELLED_OTHERWISE = """\
import torch

class Trainer:
    def __init__(self, model, parts):
        self.model, self.optimizer = model, torch.optim.Adam(model.parameters())
        self.grad_scalar = parts["grad_scalar"]

    def step(self, x, y):
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.grad_scalar.scale(loss).backward()
        self.grad_scalar.step(self.optimizer)
        self.grad_scalar.update()

    def save(self, path):
        grad_scalar = self.grad_scalar
        state = {"optimizer": self.optimizer.state_dict(), "grad_scalar": grad_scalar.state_dict()}
        torch.save(state, path)
"""


def test_a_scaler_of_another_spelling_is_saved_by_its_own_name(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=SPELLED_OTHERWISE) == []


WRAPPER = """\
import torch

class Amp:
    def __init__(self):
        self._scaler = torch.amp.GradScaler("cuda")

    def __call__(self, loss, optimizer):
        self._scaler.scale(loss).backward()
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self):
        return self._scaler.state_dict()
"""
USES_WRAPPER = """\
import torch
from wrapper import Amp as NativeScaler

class Trainer:
    def __init__(self, model, optimizer):
        self.loss_scaler = NativeScaler()
        self.model, self.optimizer = model, optimizer

    def resume(self, checkpoint):
        self.optimizer.load_state_dict(checkpoint["optimizer"])

    def step(self, x):
        with torch.autocast("cuda", enabled={enabled}):
            loss = self.model(x)
        self.loss_scaler(loss, self.optimizer)
        self.optimizer.zero_grad()
"""


def test_a_wrapper_in_an_attribute_steps_the_optimizer_that_is_restored(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=USES_WRAPPER.format(enabled=True), wrapper=WRAPPER) == [10]


@pytest.mark.parametrize(("enabled", "expected"), [(True, []), (False, [13])])
def test_a_region_that_is_off_while_a_wrapper_scales(enabled: bool, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP602", tmp_path, main=USES_WRAPPER.format(enabled=enabled), wrapper=WRAPPER) == expected


def test_a_wrapper_whose_scaler_a_flag_may_switch_off_is_left_alone(tmp_path: Path) -> None:
    switched = WRAPPER.replace("(self)", "(self, amp)", 1).replace('"cuda")', '"cuda", enabled=amp)')
    text = USES_WRAPPER.format(enabled=False).replace("NativeScaler()", "NativeScaler(False)")
    assert lines("AMP602", tmp_path, main=text, wrapper=switched) == []
