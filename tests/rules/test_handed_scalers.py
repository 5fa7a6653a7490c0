"""Scalers that a function of the same file gets under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

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
