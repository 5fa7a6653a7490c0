"""The numerics rules against execution: what they report goes wrong under CUDA's numerics, and what they make of it
does not."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from ampfix.codemods.fixpoint import fix_text
from ampfix.emulate import cuda, force_fp32
from ampfix.findings import Applicability, Finding
from ampfix.lint import Settings, check_source

ALL = (Applicability.SAFE, Applicability.UNSAFE)
HEAD = """\
import math
import torch
import torch.nn.functional as F

layer = torch.nn.Linear(4, 4).cuda()
with torch.no_grad():
    layer.weight.copy_(torch.eye(4))
    layer.bias.zero_()

"""


@dataclass(frozen=True)
class Case:
    """A step whose `body` computes loss from x inside a region, or, where `inside` is False, behind it."""

    code: str
    body: str
    inputs: tuple[float, ...]
    inside: bool = True
    steep: bool = False  # the true gradient is beyond float16, so that its step is rightly skipped

    @property
    def text(self) -> str:
        inner = "            " if self.inside else "        "
        lines = "".join(f"{inner}{line}\n" for line in self.body.splitlines())
        return (
            f"{HEAD}def run(loader):\n"
            "    for x in loader:\n"
            '        with torch.autocast("cuda", dtype=torch.float16):\n'
            f"            out = layer(x)\n{lines}"
            "        return loss.float().mean(), layer\n"
        )


WIDE = (-30.0, 9.0, 12.0, 30.0)
CASES = {
    "logarithm of a sigmoid": Case("AMP402", "p = torch.sigmoid(out)\nloss = -torch.log(p)", WIDE),
    "with a guard that vanishes": Case("AMP402", "loss = -torch.log(out.sigmoid() + 1e-8)", WIDE),
    "of the complement": Case("AMP402", "p = torch.sigmoid(out)\nloss = -torch.log(1 - p + 1e-8)", WIDE),
    "of a clamped probability": Case("AMP402", "loss = -torch.clamp(torch.sigmoid(out), 1e-8, 1 - 1e-8).log()", WIDE),
    "of a softmax behind the region": Case("AMP402", "loss = -torch.log(torch.softmax(out, dim=-1))", WIDE, False),
    "deviation with a guard that vanishes": Case(
        "AMP404", "loss = out.mean(-1) / (out.std(-1) + 1e-8)", (1.0, 1.0, 1.0, 1.0), steep=True
    ),
    "root of a variance": Case("AMP404", "loss = torch.rsqrt(out.var(-1) + 1e-12)", (1.0, 1.0, 1.0, 1.0)),
    "clamp that holds nothing": Case("AMP404", "loss = torch.log(torch.relu(out).clamp(min=1e-10))", WIDE),
    "mask beyond float16": Case("AMP405", "loss = out.masked_fill(out > 0, -1e9).softmax(-1)", WIDE),
    "tensor filled beyond float16": Case("AMP405", "loss = torch.full_like(out, 1e6) * 0 + out", WIDE),
    "mean of squares": Case("AMP406", "loss = out * torch.rsqrt((out * out).mean(-1, keepdim=True))", (300.0,) * 4),
    "squares behind the region": Case("AMP406", "loss = (out ** 2).mean()", (300.0,) * 4, False),
    "exponential in place": Case("AMP407", "e = out.exp_()\nloss = torch.log(e)", WIDE),
    "power in place": Case("AMP407", "out.pow_(2)\nloss = out.mean()", (300.0,) * 4),
    "exponential behind the region": Case("AMP407", "loss = out.exp()", (-3.0, 9.0, 11.5, 12.0), False, steep=True),
    "island that half tensors enter": Case(
        "AMP407",
        'with torch.autocast("cuda", enabled=False):\n    loss = (out * 1.0).pow(2).sum()',
        (300.0,) * 4,
        steep=True,
    ),
    "softmax by hand behind the region": Case(
        "AMP401", "e = torch.exp(out)\nloss = e / e.sum(dim=-1, keepdim=True)", WIDE, False
    ),
    "logsumexp by hand behind the region": Case(
        "AMP401", "loss = torch.log(torch.sum(torch.exp(out), dim=1))", WIDE, False
    ),
    "binary cross-entropy of a sigmoid": Case(
        "AMP403", "p = torch.sigmoid(out)\nloss = F.binary_cross_entropy(p, torch.ones_like(p))", WIDE
    ),
    "binary cross-entropy of a model's output": Case(
        "AMP403", "loss = torch.nn.BCELoss()(torch.softmax(out, -1), torch.ones_like(x))", WIDE
    ),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Outcome:
    """The loss of a step and whether its gradients are finite; NaN where it raised."""

    loss: float
    finite_gradients: bool

    @property
    def finite(self) -> bool:
        return self.finite_gradients and math.isfinite(self.loss)


def outcome(text: str, inputs: tuple[float, ...], *, fp32: bool = False) -> Outcome:
    namespace: dict[str, Any] = {}
    with cuda(profile="A100"), force_fp32() if fp32 else contextlib.nullcontext():
        exec(compile(text, "loop.py", "exec"), namespace)
        try:
            loss, layer = namespace["run"]([torch.tensor([inputs])])
        except RuntimeError:
            return Outcome(float("nan"), False)
        loss.backward()
        gradients = [parameter.grad for parameter in layer.parameters()]
        return Outcome(float(loss.detach()), all(bool(torch.isfinite(gradient).all()) for gradient in gradients))


def close(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * max(abs(other), 1e-3)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_reported_goes_wrong_and_its_repair_does_not(case: Case) -> None:
    assert case.code in {finding.code for finding in check_source(case.text)}
    broken, reference = outcome(case.text, case.inputs), outcome(case.text, case.inputs, fp32=True)
    assert not broken.finite or not close(broken.loss, reference.loss, 0.5)
    fixed = fix_text(case.text, check_source, ALL)
    assert fixed.text != case.text
    assert case.code not in {finding.code for finding in check_source(fixed.text)}
    repaired = outcome(fixed.text, case.inputs)
    assert math.isfinite(repaired.loss)
    assert repaired.finite_gradients or case.steep


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_repair_computes_what_the_loop_computed_where_that_was_finite(case: Case) -> None:
    harmless = (0.25, 0.5, 1.0, 1.5)
    before, after = outcome(case.text, harmless), outcome(fix_text(case.text, check_source, ALL).text, harmless)
    assert after.finite
    if before.finite:
        assert close(after.loss, before.loss, 4e-3)  # float16's rounding


SILENT = {
    "exponential in the region": "loss = torch.log(out.exp().mean())",
    "sum of squares in the region": "loss = out.pow(2).sum() + (out ** 2).mean()",
    "norm in the region": "loss = out / (out.norm(dim=-1, keepdim=True) + 1e-8)",
    "sum with a small guard": "loss = out / (out.abs().sum(-1, keepdim=True) + 1e-8)",
    "sigmoid in float32": "loss = -torch.log(torch.sigmoid(out.float()) + 1e-8)",
    "masked in float32": "loss = out.float().masked_fill(out > 100, -1e9)",
}


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT.keys())
def test_what_autocast_protects_is_silent_and_finite(body: str) -> None:
    case = Case("", body, (-30.0, 9.0, 12.0, 25.0))
    assert check_source(case.text) == []
    assert outcome(case.text, case.inputs).finite


CUSTOM_FUNCTION = """\
import torch

class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.t()

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w, g.t() @ x

def run(x, w):
    with torch.autocast("cuda"):
        loss = Product.apply(x, w).sum()
    loss.backward()
    return w.grad.dtype
"""


def test_a_decorated_function_runs_its_backward() -> None:
    def run(text: str) -> torch.dtype:
        namespace: dict[str, Any] = {}
        with cuda(profile="A100"):
            exec(compile(text, "loop.py", "exec"), namespace)
            result = namespace["run"](torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True))
        assert isinstance(result, torch.dtype)
        return result

    with pytest.raises(RuntimeError, match="same dtype"):
        run(CUSTOM_FUNCTION)
    assert run(fix_text(CUSTOM_FUNCTION, check_source, ALL).text) is torch.float32


ATTENTION = """\
import math
import torch
import torch.nn.functional as F

layer = torch.nn.Linear(8, 8).cuda()

def run(x):
    with torch.autocast("cuda"):
        q, k, v = layer(x), layer(2 * x), layer(3 * x)
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        weights = F.softmax(scores, dim=-1)
        return torch.matmul(weights, v)
"""


def test_attention_in_one_call_is_the_same_and_survives_large_scores() -> None:
    def run(text: str, x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        namespace: dict[str, Any] = {}
        with cuda(profile="A100"), torch.no_grad():
            exec(compile(text, "loop.py", "exec"), namespace)
            result = namespace["run"](x)
        assert isinstance(result, torch.Tensor)
        return result.float()

    fixed = fix_text(ATTENTION, check_source, ALL).text
    assert "scaled_dot_product_attention" in fixed
    small = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(run(ATTENTION, small), run(fixed, small), atol=5e-3)
    assert not run(ATTENTION, 1e3 * small).isfinite().all()
    assert run(fixed, 1e3 * small).isfinite().all()


POISONED = """\
import torch

layer, norm = torch.nn.Linear(4, 4).cuda(), torch.nn.BatchNorm1d(4).cuda()

def run(x):
    with torch.autocast("cuda"):
        norm(layer(x){cast} * 1e5)
    return norm.running_mean
"""


def test_an_overflow_in_front_of_a_batchnorm_stays_in_its_statistics() -> None:
    def run(text: str) -> torch.Tensor:
        namespace: dict[str, Any] = {}
        with cuda(profile="A100"):
            exec(compile(text, "loop.py", "exec"), namespace)
            result = namespace["run"](torch.randn(8, 4))
        assert isinstance(result, torch.Tensor)
        return result

    broken, fine = POISONED.format(cast=""), POISONED.format(cast=".float()")
    assert "AMP409" in {finding.code for finding in check_source(broken)}
    assert "AMP409" not in {finding.code for finding in check_source(fine)}
    assert not run(broken).isfinite().all()
    assert run(fine).isfinite().all()


CACHED = """\
import torch
import torch.nn.functional as F

def run(x, y):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        for _ in range(30):
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.item()
"""


def test_a_cleared_cache_lets_the_loss_fall() -> None:
    def run(text: str) -> float:
        x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
        namespace: dict[str, Any] = {}
        with cuda(profile="A100"):
            exec(compile(text, "loop.py", "exec"), namespace)
            return float(namespace["run"](x, x.sum(1, keepdim=True)))

    findings = [finding for finding in check_source(CACHED) if finding.code == "AMP410"]
    assert len(findings) == 1
    fixed = fix_text(CACHED, lambda text: [f for f in check_source(text) if f.code == "AMP410"], ALL).text
    assert run(CACHED) > 1.0 > 0.01 > run(fixed)  # 5.23 and 0.00004


UNGUARDED = """\
import torch

def run(batches):
    layer = torch.nn.Linear(4, 4).cuda()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for x in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            error = layer(x) - layer(x.flip(0))
            loss = (error / error.std()).square().mean() + error.square().mean()
        loss.backward()
        optimizer.step()
    return layer.weight
"""


def test_one_batch_without_spread_spoils_an_unguarded_bfloat16_loop() -> None:
    def run(text: str) -> bool:
        torch.manual_seed(0)
        namespace: dict[str, Any] = {}
        with cuda(profile="A100"):
            exec(compile(text, "loop.py", "exec"), namespace)
            weight = namespace["run"]([torch.randn(8, 4), torch.ones(8, 4), torch.randn(8, 4)])
        return bool(torch.isfinite(weight).all())

    def check(text: str) -> list[Finding]:
        return check_source(text, "loop.py", Settings(select=("AMP411",)))

    assert len(check(UNGUARDED)) == 1
    assert not run(UNGUARDED)
    assert run(fix_text(UNGUARDED, check, ALL).text)
