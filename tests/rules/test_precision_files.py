"""Dtypes, regions and wrappers that helpers of other files choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project

MANAGER = """\
import torch
from contextlib import contextmanager

@contextmanager
def autocast_any(dtype=torch.bfloat16):
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        with torch.xpu.amp.autocast(enabled=True, dtype=dtype):
            yield
    elif torch.cuda.is_available():
        with torch.cuda.amp.autocast(enabled=True, dtype=torch.float16):
            yield
    else:
        yield
"""
PRECISION = """\
import torch

def parse(name):
    return torch.bfloat16 if name == "bf16" else torch.float16

def amp_region(device, dtype):
    return torch.autocast(device.type, dtype=dtype)

class Precision:
    def __init__(self, device, dtype):
        self.device, self.dtype = device, dtype

    def autocast(self):
        return torch.autocast(device_type=self.device.type, dtype=self.dtype)
"""
PLAIN = """\
import torch
from helper import HELPER

def train(model, loader, device, config):
    optimizer = torch.optim.AdamW(model.parameters())
    BEFORE
    for x, y in loader:
        optimizer.zero_grad()
        with REGION:
            loss = model(x, y)
        loss.backward()
        optimizer.step()
"""
SCALED = PLAIN.replace(
    "        loss.backward()\n        optimizer.step()\n",
    "        scaler.scale(loss).backward()\n        scaler.step(optimizer)\n        scaler.update()\n",
)
BUILT = 'scaler = torch.amp.GradScaler("cuda")'
WRAPPERS = """\
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.nn.parallel import DistributedDataParallel as DDP

def wrap_model(model, strategy):
    return FSDP(model) if strategy == "fsdp" else DDP(model)

def wrap_ddp(model, strategy):
    return DDP(model)
"""


BRANCHES = """\
import torch
from contextlib import nullcontext

def amp_region(device, name):
    if device.type != "cuda":
        return nullcontext()
    if name == "bf16":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    if name == "fp16":
        return torch.autocast("cuda", dtype=torch.float16)
    raise ValueError(name)
"""


def codes(folder: Path, helper: str, text: str, select: tuple[str, ...] = ("AMP201", "AMP204", "AMP703")) -> list[str]:
    (folder / "helper.py").write_text(helper)
    (folder / "train.py").write_text(text)
    settings = Settings(select=select)
    return [one.code for one in check_text(text, str(folder / "train.py"), settings, Project()).findings]


def loop(template: str, helper: str, before: str, region: str) -> str:
    return template.replace("HELPER", helper).replace("BEFORE", before).replace("REGION", region)


@pytest.mark.parametrize(
    ("helper", "name", "before", "region", "found"),
    [
        (MANAGER, "autocast_any", "pass", "autocast_any()", ["AMP201"]),
        (MANAGER.replace("float16)", "bfloat16)"), "autocast_any", "pass", "autocast_any()", []),
        (PRECISION, "parse, amp_region", "pass", "amp_region(device, parse(config.amp))", ["AMP201"]),
        (PRECISION, "amp_region", "pass", "amp_region(device, torch.bfloat16)", []),
        (PRECISION, "amp_region", "pass", "amp_region(device, config.dtype)", []),
        (PRECISION, "parse, Precision", "one = Precision(device, parse(config.amp))", "one.autocast()", ["AMP201"]),
        (PRECISION, "Precision", "one = Precision(device, torch.bfloat16)", "one.autocast()", []),
    ],
)
def test_a_loss_is_unscaled_in_the_dtype_of_a_helper(
    helper: str, name: str, before: str, region: str, found: list[str], tmp_path: Path
) -> None:
    assert codes(tmp_path, helper, loop(PLAIN, name, before, region)) == found


@pytest.mark.parametrize(
    ("helper", "region", "found"),
    [
        (BRANCHES, "amp_region(device, config.amp)", ["AMP201", "AMP411"]),
        (BRANCHES.replace("bfloat16", "float16"), "amp_region(device, config.amp)", ["AMP201"]),
        (BRANCHES.replace("torch.float16", "torch.bfloat16"), "amp_region(device, config.amp)", ["AMP411"]),
        (PRECISION, "amp_region(device, torch.bfloat16)", ["AMP411"]),
        (PRECISION, "amp_region(device, config.dtype)", []),
    ],
)
def test_what_a_helper_opens_on_one_of_several_paths(
    helper: str, region: str, found: list[str], tmp_path: Path
) -> None:
    text = loop(PLAIN, "amp_region", "pass", region)
    both = ("AMP201", "AMP411")
    assert codes(tmp_path, helper, text, both) == found
    clipped = text.replace(
        "        optimizer.step()", "        config.clip_grad_norm_(model)\n        optimizer.step()"
    )
    assert "AMP411" not in codes(tmp_path, helper, clipped, both)


@pytest.mark.parametrize(
    ("name", "before", "region", "found"),
    [
        ("parse, amp_region", BUILT, "amp_region(device, parse(config.amp))", ["AMP204"]),
        ("amp_region", BUILT, "amp_region(device, torch.bfloat16)", ["AMP204"]),
        ("amp_region", BUILT, "amp_region(device, torch.float16)", []),
        ("amp_region", BUILT, "amp_region(device, config.dtype)", []),
        (
            "parse, amp_region",
            'scaler = torch.amp.GradScaler("cuda", enabled=parse(config.amp) == torch.float16)',
            "amp_region(device, parse(config.amp))",
            [],
        ),
    ],
)
def test_a_scaler_scales_in_the_dtype_of_a_helper(
    name: str, before: str, region: str, found: list[str], tmp_path: Path
) -> None:
    assert codes(tmp_path, PRECISION, loop(SCALED, name, before, region)) == found


@pytest.mark.parametrize(("name", "found"), [("wrap_model", ["AMP703"]), ("wrap_ddp", [])])
def test_a_helper_that_shards_asks_for_a_sharded_scaler(name: str, found: list[str], tmp_path: Path) -> None:
    before = f"model = {name}(model, config.strategy)\n    {BUILT}"
    text = loop(SCALED, name, before, 'torch.autocast("cuda")')
    assert codes(tmp_path, WRAPPERS, text) == found
    sharded = "from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler\n" + text
    assert codes(tmp_path, WRAPPERS, sharded.replace('torch.amp.GradScaler("cuda")', "ShardedGradScaler()")) == []


NETWORK = """\
from torch import nn

class Net(nn.Module):
    def forward(self, x):
        return self.layers(x)
"""
SCALES = """\
import torch
from torch.amp import GradScaler, autocast
from network import Net

def train(loader, use_amp):
    model = Net().cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = GradScaler("cuda", enabled=use_amp)
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""
OPENS = "import torch\nfrom train import train\n\nwith torch.autocast('cuda'):\n    train([], True)\n"


@pytest.mark.parametrize(
    ("network", "main", "text", "found"),
    [
        (NETWORK, "", SCALES, ["AMP210"]),
        (NETWORK.replace("    def", "    @torch.autocast('cuda')\n    def"), "", SCALES, []),
        (NETWORK, OPENS, SCALES, []),
        (NETWORK, "", SCALES.replace("enabled=use_amp)", "enabled=False)"), []),
        (NETWORK, "", SCALES.replace("Net().cuda()", "Net().cuda().half()"), []),
        (NETWORK, "from accelerate import Accelerator\n", SCALES, []),
    ],
)
def test_a_scaler_where_no_file_of_the_project_opens_a_region(
    network: str, main: str, text: str, found: list[str], tmp_path: Path
) -> None:
    for name, held in (("setup.py", ""), ("network.py", network), ("main.py", main)):
        (tmp_path / name).write_text(held)
    assert codes(tmp_path, "", text, ("AMP210",)) == found


def test_a_project_without_a_region_that_is_not_seen_may_have_one(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("")
    many = tmp_path / "more"
    many.mkdir()
    for number in range(301):
        (many / f"file{number}.py").write_text("")
    assert codes(tmp_path, "", SCALES, ("AMP210",)) == []
