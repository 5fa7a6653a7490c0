"""The static and the runtime witness see the same violations, at the same lines, in the same loops."""

from __future__ import annotations

import contextlib
import textwrap
from pathlib import Path

import pytest

from ampfix import emulate
from ampfix.lint.module import SourceModule
from ampfix.watch import Recorder

SETUP = """
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


def build():
    torch.manual_seed(0)
    model = nn.Linear(8, 4).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    return model, optimizer, torch.amp.GradScaler("cuda", init_scale=2.0**40)


def train():
    model, optimizer, scaler = build()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    for step in range(4):
        optimizer.zero_grad()
        x = torch.randn(6, 8, device="cuda")
"""
FORWARD = """
with torch.autocast("cuda", dtype=torch.float16):
    loss = model(x).float().square().mean()
"""

LOOPS = {
    "correct": """
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    """,
    "correct, no clip": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    """,
    "correct, accumulating": """
        scaler.scale(loss / 2).backward()
        scaler.scale(model(x).float().mean() / 2).backward()
        scaler.step(optimizer)
        scaler.update()
    """,
    "correct, schedule guarded": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        before = scaler.get_scale()
        scaler.update()
        if before <= scaler.get_scale():
            scheduler.step()
    """,
    "clip before unscale": """
        scaler.scale(loss).backward()
        clip_grad_norm_(model.parameters(), 1.0)  # clip_while_scaled
        scaler.step(optimizer)
        scaler.update()
    """,
    "clip and value clip before unscale": """
        scaler.scale(loss).backward()
        clip_grad_norm_(model.parameters(), 1.0)  # clip_while_scaled
        nn.utils.clip_grad_value_(model.parameters(), 1.0)  # clip_while_scaled
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    """,
    "raw step": """
        scaler.scale(loss).backward()
        optimizer.step()  # raw_step_on_scaled
    """,
    "raw step after unscale": """
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        optimizer.step()  # raw_step_on_scaled
        scaler.update()
    """,
    "stepped twice": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.step()  # double_step
    """,
    "unscaled twice": """
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.unscale_(optimizer)  # unscale_twice
        scaler.step(optimizer)
        scaler.update()
    """,
    "no update": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)  # missing_update
    """,
    "update before step": """
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.update()
        scaler.step(optimizer)  # update_before_step
        scaler.update()
    """,
    "given up without update": """
        scaler.scale(loss).backward()  # skip_without_update
        scaler.unscale_(optimizer)
        continue
    """,
    "one of two losses": """
        scaler.scale(loss).backward()
        model(x).float().mean().backward()  # mixed_gradients
        scaler.step(optimizer)
        scaler.update()
    """,
    "no scaler": """
        loss.backward()  # fp16_without_scaler
        optimizer.step()
    """,
    "schedule runs on": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()  # scheduler_on_skipped_step
    """,
    "correct, spoilt gradients thrown away": """
        scaler.scale(loss).backward()
        model(x).float().mean().backward()
        optimizer.zero_grad()
        scaler.scale(model(x).float().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
    """,
    "updated twice": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scaler.update()  # update_without_step
    """,
    "updated every other step": """
        scaler.scale(loss).backward()
        scaler.step(optimizer)  # missing_update
        if step % 2:
            scaler.update()
    """,
    "given up on one path": """
        scaler.scale(loss).backward()  # skip_without_update
        scaler.unscale_(optimizer)
        if step != 1:
            scaler.step(optimizer)
            scaler.update()
    """,
    "zeroed before the step": """
        scaler.scale(loss).backward()
        optimizer.zero_grad()
        scaler.step(optimizer)  # step_without_gradients
        scaler.update()
    """,
    "raw step, then the scaler's": """
        scaler.scale(loss).backward()
        optimizer.step()  # raw_step_on_scaled
        scaler.step(optimizer)  # double_step
        scaler.update()
    """,
    "backward in the region": """
        with torch.autocast("cuda", dtype=torch.float16):
            second = model(x).float().mean()
            scaler.scale(loss + second).backward()  # backward_in_autocast
        scaler.step(optimizer)
        scaler.update()
    """,
    "window reopened": """
        scaler.scale(loss / 2).backward()
        scaler.unscale_(optimizer)
        scaler.scale(model(x).float().mean() / 2).backward()  # unscale_in_window
        scaler.step(optimizer)
        scaler.update()
    """,
}


def _text(name: str) -> str:
    body = textwrap.dedent(FORWARD) + textwrap.dedent(LOOPS[name])
    return SETUP + textwrap.indent(body, " " * 8)


def _expected(text: str) -> set[tuple[str, int]]:
    """(violation, line) pairs, from the comments that name them."""
    lines = enumerate(text.splitlines(), 1)
    return {(line.partition("  # ")[2], number) for number, line in lines if "  # " in line}


def _static(text: str, path: Path) -> set[tuple[str, int]]:
    found = SourceModule(text, str(path)).occurrences
    return {(item.broken.violation.value, item.do.site.span.start.line) for item in found}


def _live(text: str, path: Path) -> set[tuple[str, int]]:
    names: dict[str, object] = {"__name__": "loop"}
    recorder = Recorder(root=path)
    with emulate.cuda("A100"), recorder, contextlib.suppress(RuntimeError, AssertionError):
        exec(compile(text, str(path), "exec"), names)
        names["train"]()  # type: ignore[operator]
    assert {item.broken.event.path for item in recorder.violations} <= {path.name}
    return {(item.broken.violation.value, item.broken.event.line) for item in recorder.violations}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_both_witnesses_agree(name: str, tmp_path: Path) -> None:
    path, text = tmp_path / "loop.py", _text(name)
    path.write_text(text)
    expected = _expected(text)
    assert bool(expected) is not name.startswith("correct")
    assert _live(text, path) == expected
    assert _static(text, path) == expected
