"""bfloat16 where the hardware has it, float16 with a scaler elsewhere."""

from __future__ import annotations

import pytest

from ampfix.codemods import CannotRepair
from tests.codemods.repairs import repair, repaired

NATIVE = "torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16"
REGION = 'torch.autocast("cuda", dtype=torch.float16)'


def ported(text: str, region: str = REGION, **arguments: str) -> str:
    return repaired(text, repair("portable_dtype", text, region, **arguments))


def test_the_dtype_is_chosen_once_and_the_scaler_serves_float16_only() -> None:
    before = f"""\
import torch

def train(model, data):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for x in data:
        with {REGION}:
            loss = model(x)
        with torch.autocast("cuda", enabled=False):
            extra = model.float()
        with torch.autocast("cuda"):
            loss = loss + model(x)
        scaler.scale(loss).backward()
"""
    assert (
        ported(before)
        == f"""\
import torch

def train(model, data):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    amp_dtype = {NATIVE}
    scaler = torch.amp.GradScaler("cuda", enabled=amp_dtype == torch.float16)
    for x in data:
        with torch.autocast("cuda", dtype=amp_dtype):
            loss = model(x)
        with torch.autocast("cuda", enabled=False):
            extra = model.float()
        with torch.autocast("cuda", dtype=amp_dtype):
            loss = loss + model(x)
        scaler.scale(loss).backward()
"""
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("enabled=True", "enabled=amp_dtype == torch.float16"),
        ("enabled=use", "enabled=use and amp_dtype == torch.float16"),
        ("enabled=a or b", "enabled=(a or b) and amp_dtype == torch.float16"),
        ("init_scale=8.0", "init_scale=8.0, enabled=amp_dtype == torch.float16"),
    ],
)
def test_the_scalers_own_condition_is_kept(old: str, new: str) -> None:
    before = f'import torch\ns = torch.amp.GradScaler("cuda", {old})\nwith {REGION}:\n    f()\n'
    assert f'torch.amp.GradScaler("cuda", {new})' in ported(before)


def test_an_attribute_where_the_scaler_is_one() -> None:
    before = f"""\
import torch
class T:
    def __init__(self):
        self.scaler = torch.cuda.amp.GradScaler()
    def step(self):
        with {REGION}:
            pass
"""
    assert (
        ported(before)
        == f"""\
import torch
class T:
    def __init__(self):
        self.amp_dtype = {NATIVE}
        self.scaler = torch.cuda.amp.GradScaler(enabled=self.amp_dtype == torch.float16)
    def step(self):
        with torch.autocast("cuda", dtype=self.amp_dtype):
            pass
"""
    )


def test_a_named_dtype_is_chosen_where_it_was_named() -> None:
    before = 'import torch\nhalf = torch.half\nfor x in d:\n    with torch.autocast("cuda", half):\n        f(x)\n'
    assert ported(before, 'torch.autocast("cuda", half)') == before.replace("= torch.half", f"= {NATIVE}")


def test_the_finding_may_lie_inside_the_region() -> None:
    before = f"import torch\nfor x in d:\n    with {REGION}:\n        y = x * 1e6\n"
    assert ported(before, "x * 1e6") == (
        f'import torch\namp_dtype = {NATIVE}\nfor x in d:\n    with torch.autocast("cuda", dtype=amp_dtype):\n'
        "        y = x * 1e6\n"
    )


def test_an_old_torch_is_asked_for_the_compute_capability() -> None:
    before = f"import torch\nfor x in d:\n    with {REGION}:\n        f(x)\n"
    assert "get_device_capability() >= (8, 0)" in ported(before, floor="2.4")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"import torch\ndef f():\n    with {REGION}:\n        pass\n", "neither a scaler nor a loop"),
        (
            f"import torch\ndef g():\n    return torch.amp.GradScaler()\ndef f():\n    with {REGION}:\n        pass\n",
            "another function",
        ),
        (f"import torch\na = GradScaler()\nb = GradScaler()\nwith {REGION}:\n    pass\n", "several scalers"),
    ],
)
def test_what_cannot_see_one_dtype_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        ported(text)
