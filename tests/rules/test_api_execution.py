"""What AMP602, AMP604 and AMP605 say of a program is what running it shows, and the repaired program runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ampfix.codemods.fixpoint import fix_text
from ampfix.emulate import cuda
from ampfix.findings import Applicability
from ampfix.lint import Settings, check_source

REGIONS = {
    "no device": "with torch.autocast():\n    {body}",
    "a flag for the device": "with torch.amp.autocast(True):\n    {body}",
    "a dtype for the device": "with torch.autocast(torch.float16):\n    {body}",
    "a torch.device": 'device = torch.device("cuda")\nwith torch.autocast(device):\n    {body}',
    "a dtype as text": 'with torch.autocast("cuda", dtype="float16"):\n    {body}',
    "a dtype for the flag": "with torch.cuda.amp.autocast(torch.float16):\n    {body}",
    "a device for the flag": 'with torch.cuda.amp.autocast("cuda"):\n    {body}',
    "a flag as text": 'with torch.autocast("cuda", enabled="yes"):\n    {body}',
    "not called": "with torch.autocast:\n    {body}",
    "not called, old": "with torch.cuda.amp.autocast:\n    {body}",
    "bare decorator": "@torch.autocast\ndef f():\n    return a @ a\n{name} = f()",
    "bare decorator, old": "@torch.cuda.amp.autocast\ndef f():\n    return a @ a\n{name} = f()",
}
HEAD = "import torch\na = torch.ones(2, 2).cuda()\n"


def fixed(source: str, code: str) -> str:
    allowed = (Applicability.SAFE, Applicability.UNSAFE)
    outcome = fix_text(source, lambda text: check_source(text, "p.py", Settings(select=(code,))), allowed)
    assert outcome.fixed
    assert outcome.unfixed == ()
    return outcome.text


def run(source: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    space: dict[str, Any] = {}
    with cuda(profile="A100"):
        exec(compile(source, "p.py", "exec"), space)
    return space


@pytest.mark.parametrize("form", REGIONS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_misused_region_raises_and_the_repaired_one_is_half(form: str) -> None:
    source = HEAD + REGIONS[form].format(body="made = a @ a", name="made") + "\n"
    with pytest.raises((TypeError, ValueError, AttributeError)):
        run(source)
    assert run(fixed(source, "AMP602"))["made"].dtype is torch.float16


SCALERS = {
    "torch.amp.GradScaler(1024.0)": (65536.0, 1024.0),
    "torch.amp.GradScaler(1024.0, 2.0, 0.5, 100, True)": (None, 1024.0),
    "torch.amp.GradScaler(False)": (65536.0, 1.0),
    "torch.cuda.amp.GradScaler(False)": (0.0, 1.0),
    "torch.cuda.amp.GradScaler(True)": (1.0, 65536.0),
    'torch.cuda.amp.GradScaler("cuda")': (None, 65536.0),
}


@pytest.mark.parametrize("call", SCALERS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_misplaced_argument_gives_another_scale_than_it_says(call: str) -> None:
    source = f"import torch\nloss = torch.ones(1).cuda()\nscale = float({call}.scale(loss))\n"
    wrong, meant = SCALERS[call]
    if wrong is None:
        with pytest.raises((TypeError, AssertionError)):
            run(source)
    else:
        assert run(source)["scale"] == wrong
    assert run(fixed(source, "AMP605"))["scale"] == meant


def test_the_old_hook_sees_the_last_operation_and_the_full_one_the_module() -> None:
    source = """\
import torch
layer, seen = torch.nn.Linear(3, 2), []
layer.register_backward_hook(lambda module, inner, outer: seen.append([tuple(g.shape) for g in inner]))
layer(torch.ones(4, 3, requires_grad=True)).sum().backward()
"""
    assert run(source)["seen"] == [[(2,), (4, 3), (3, 2)]]
    assert run(fixed(source, "AMP604"))["seen"] == [[(4, 3)]]
