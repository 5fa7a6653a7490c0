"""Repaired loops are run under CUDA's numerics: they do what the fp32 loop does, and the broken ones do not."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch

from ampfix.codemods import carry_out
from ampfix.codemods.fixpoint import fix_text
from ampfix.emulate import cuda, force_fp32
from ampfix.findings import Applicability
from ampfix.lint import check_source
from tests.codemods.repairs import repair

ALL = (Applicability.SAFE, Applicability.UNSAFE)
HEAD = """\
import torch

def train(model, data, **options):
    model = model.cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1000)
"""
CLIP_BEFORE_UNSCALE = f"""{HEAD}\
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)  # low enough that no step is skipped
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
    return scheduler, scaler
"""
NO_SCALER = f"""{HEAD}\
    for i, (x, y) in enumerate(data):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda()) * 1e-6 / 2
        loss.backward()
        if i % 2:
            for p in model.parameters(): p.grad.mul_(1e6)
            optimizer.step()
            optimizer.zero_grad()
    return scheduler, None
"""
SCHEDULER_ON_SKIPS = f"""{HEAD}\
    scaler = torch.amp.GradScaler("cuda", **options)
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
    return scheduler, scaler
"""
FLOAT16 = f"""{HEAD}\
    scaler = torch.amp.GradScaler("cuda")
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            out = model(x.cuda())
            loss = torch.nn.functional.mse_loss(out, y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return out.dtype, scaler
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(text: str, profile: str = "A100", fp32: bool = False, **options: Any) -> tuple[torch.Tensor, Any, Any]:
    """The weights' movement, and what `train` returned."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    data = [(torch.randn(16, 8), 4 * torch.randn(16, 4)) for _ in range(6)]
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    namespace: dict[str, Any] = {}
    with cuda(profile=profile), force_fp32() if fp32 else contextlib.nullcontext():
        exec(compile(text, "loop.py", "exec"), namespace)
        first, second = namespace["train"](model, data, **options)
        end = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        return (end - start).clone(), first, second


def repaired(text: str) -> str:
    outcome = fix_text(text, check_source, ALL)
    assert outcome.unfixed == ()
    assert outcome.text != text
    return outcome.text


def distance(update: torch.Tensor, reference: torch.Tensor) -> float:
    return float((update - reference).norm() / reference.norm())


@pytest.mark.parametrize("text", [CLIP_BEFORE_UNSCALE, NO_SCALER], ids=["clip before unscale", "no scaler"])
def test_the_repaired_update_is_the_fp32_update(text: str) -> None:
    after = repaired(text)
    reference, _, _ = run(after, fp32=True)
    assert distance(run(after)[0], reference) < 0.02  # float16 rounding: 0.0005 in both
    assert distance(run(text)[0], reference) > 0.2  # 1.00 and 0.60


def test_the_scheduler_counts_applied_steps_only() -> None:
    skipping = {"init_scale": 2.0**18, "growth_interval": 1000}  # skips until the scale fits float16
    _, broken, scaler = run(SCHEDULER_ON_SKIPS, **skipping)
    assert broken.last_epoch == 6
    skipped = round(torch.log2(torch.tensor(2.0**18 / scaler.get_scale())).item())
    assert 0 < skipped < 6
    _, scheduler, _ = run(repaired(SCHEDULER_ON_SKIPS), **skipping)
    assert scheduler.last_epoch == 6 - skipped


def test_a_disabled_scaler_lets_the_repaired_scheduler_step_every_time() -> None:
    _, scheduler, _ = run(repaired(SCHEDULER_ON_SKIPS), enabled=False)
    assert scheduler.last_epoch == 6


@pytest.mark.parametrize(
    ("profile", "dtype"), [("A100", torch.bfloat16), ("T4", torch.float16), ("V100", torch.float16)]
)
def test_the_hardware_chooses_the_half_and_with_it_the_scaler(profile: str, dtype: torch.dtype) -> None:
    region = 'torch.autocast("cuda", dtype=torch.float16)'
    after = carry_out(FLOAT16, repair("portable_dtype", FLOAT16, region))
    _, used, scaler = run(after, profile)
    assert used is dtype
    assert scaler.is_enabled() == (dtype is torch.float16)


def test_the_example_trains_like_fp32_once_repaired() -> None:
    text = (Path(__file__).parents[2] / "examples" / "train_broken.py").read_text()
    outcome = fix_text(text, check_source)
    assert {finding.code for finding in outcome.fixed} == {"AMP101", "AMP114", "AMP601"}
    assert outcome.unfixed == ()

    def final_loss(source: str, fp32: bool = False) -> float:
        namespace: dict[str, Any] = {"__name__": "example"}
        with cuda(profile="A100"), force_fp32() if fp32 else contextlib.nullcontext():
            exec(compile(source, "train.py", "exec"), namespace)
            torch.manual_seed(0)
            trainer = namespace["Trainer"](namespace["LanguageModel"](), 25)
            return float(trainer.fit(torch.Generator().manual_seed(0)))

    reference = final_loss(outcome.text, fp32=True)
    assert final_loss(outcome.text) == pytest.approx(reference, rel=0.02)
    assert final_loss(text) > 1.2 * reference
