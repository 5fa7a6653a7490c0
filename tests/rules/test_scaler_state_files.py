"""The state of a scaler that another file uses: repaired where the scaler is made."""

from __future__ import annotations

from pathlib import Path

from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project

STEPS = """\
import torch

def train_epoch(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""
SAVES = """\
import torch
from engine import train_epoch

def main(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(10):
        train_epoch(model, loader, optimizer, scaler)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, "last.pt")
"""


def test_a_scaler_handed_to_another_file_is_saved_where_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text(STEPS, encoding="utf-8")
    path = tmp_path / "main.py"
    path.write_text(SAVES, encoding="utf-8")
    (finding,) = check_text(SAVES, str(path), Settings(select=("AMP203",)), Project()).findings
    assert finding.repair is not None, finding.no_fix_reason
