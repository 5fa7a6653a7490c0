"""Scalers that a function of the same file gets under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.lint import Settings, check_source
from ampfix.lint.run import check_paths

SOURCE = """\
import torch

CFG = {{"half": "bfloat16", "level": "O1"}}

def epoch(model, loader, optimizer, loss_scaler):
    dtype = torch.float16 if CFG["half"] == "float16" else torch.bfloat16
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        if {test}:
            loss_scaler.scale(loss).backward()
            loss_scaler.step(optimizer)
            loss_scaler.update()
        else:
            loss.backward()
            optimizer.step()

def train(model, loader, optimizer, scaler):
    epoch(model, loader, optimizer, scaler)

def main(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    train(model, loader, optimizer, scaler)
"""


@pytest.mark.parametrize(
    ("test", "codes"),
    [('CFG["level"] != "O0"', {"AMP204"}), ('CFG["half"] == "float16"', set()), ("dtype == torch.float16", set())],
)
def test_a_test_is_about_the_dtype_only_where_the_entry_it_reads_is(tmp_path: Path, test: str, codes: set[str]) -> None:
    file = tmp_path / "train.py"
    file.write_text(SOURCE.format(test=test))
    found = {finding.code for finding in check_paths([str(file)]).findings}
    assert found & {"AMP204"} == codes


PHASES = """\
import torch

def run(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

def main(model, loader):
    first = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cuda")
    {first}
    second = torch.optim.AdamW(model.parameters(), lr=1e-5)
    {second}
"""
BOTH = """\
import torch

def main(model, loader):
    first = torch.optim.AdamW(model.parameters(), lr=1e-3)
    second = torch.optim.AdamW(model.parameters(), lr=1e-5)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(first)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(first)
        scaler.step(second)
        scaler.update()
        first.zero_grad()
        second.zero_grad()
"""
EPOCHS = "for epoch in range(10): run(model, loader, {}, scaler)"
ONCE = "run(model, loader, {}, scaler)"


@pytest.mark.parametrize("call", [EPOCHS, ONCE])
def test_the_second_optimizer_of_a_model_takes_over_its_gradients(call: str) -> None:
    text = PHASES.format(first=call.format("first"), second=call.format("second"))
    assert check_source(text, "loop.py", Settings(select=("AMP101",))) == []


@pytest.mark.parametrize(
    "text",
    [BOTH, PHASES.replace("        scaler.unscale_(optimizer)\n", "").format(first=ONCE.format("first"), second="")],
    ids=["both in one step", "none unscaled"],
)
def test_a_clip_of_what_no_phase_unscaled_is_found(text: str) -> None:
    assert len(check_source(text, "loop.py", Settings(select=("AMP101",)))) == 1
