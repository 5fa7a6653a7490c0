"""AMP404."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Source, Value, meetings
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import (
    FLOAT16_VANISHES,
    PICKS,
    TensorRule,
    guards,
    is_number,
    places,
    proven_float16,
    rounds_to_one,
    unguarded,
)
from ampfix.rules._spellings import FLOAT16_TENSORS

# Ops whose operand must not be 0, with that operand's position.
_NEEDS_MORE_THAN_ZERO = {"log": 0, "log2": 0, "log10": 0, "sqrt": 0, "rsqrt": 0, "reciprocal": 0, "div": 1, "pow": 0}
_BELOW_ONE = ("acos", "asin", "atanh")  # whose gradients are infinite at 1
_PROBABILITIES = ("sigmoid", "softmax")

_SMALL = r"re:\de-|0\.000|\*\*\s*\(?-"  # how a number is written that guards against 0
# How one is written that float16 rounds to 0, or that it rounds to 1 when taken from 1.
_VANISHING = r"near:e-:\d(?:e-0?[89]|e-[1-9]\d)\b|\b1(?:\.0*)? ?- ?\d+(?:\.\d*)?e-"


class EpsUnderflow(TensorRule):
    """A small number that keeps a half tensor away from zero is itself zero in half precision.

    ## What it does
    Finds logarithms, roots and divisions whose guard vanishes: a number of at most 2^-25 (2.98e-8) that is added to a
    float16 tensor or is its lower bound in a clamp, and an upper bound such as 1 - 1e-6 that rounds to 1, also in front
    of acos, asin and atanh. Factors that small are found as well: they make zeros of the tensor itself.

    ## Why is this bad
    float16's smallest number is 2^-24. `1e-8` rounds to 0, so `x / (x.std() + 1e-8)` divides by zero where the
    deviation is 0, and `log(p + 1e-8)` is -inf where p is 0. That happens in the forward pass, so that the scaler skips
    the step, however small it makes the scale. `acos(x.clamp(-1 + 1e-7, 1 - 1e-7))` is clamped to 1 itself, where its
    gradient is infinite. Under CUDA's autocast sums, norms, exponentials and softmax are float32, but mean, std, var,
    sqrt and sigmoid stay half.

    ## Example
    ```python
    y = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-8)
    ```

    ## Use instead
    ```python
    y = (x - x.mean(-1, keepdim=True)) / (x.float().std(-1, keepdim=True) + 1e-8)
    ```

    ## Fix safety
    Safe: the guarded value is computed in float32 from where it comes from, since a cast behind it would overflow in
    the backward pass; the guard then does what it says. What follows is float32 too.

    ## References
    - https://pytorch.org/docs/stable/amp.html#cuda-ops-that-can-autocast-to-float16
    """

    code, name, severity = "AMP404", "eps-underflow", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("eps-below-half",)
    mentions = (*AMP_WORDS, (".half(", _SMALL), (FLOAT16_TENSORS, _VANISHING))

    VALID = (
        """\
import torch

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = model(x)
            usage = out["alphas"].mean(dim=0)
            entropy = (usage * torch.log(usage + 1e-8)).sum()
""",
        """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            unit = out / (out.norm(dim=-1, keepdim=True) + 1e-8)  # norm and sum are float32
            share = out / (out.sum(-1, keepdim=True) + 1e-12)
            wide = out / (out.std(-1, keepdim=True) + 1e-5)
            safe = out / (out.float().std(-1, keepdim=True) + 1e-8)
            shifted, small = out + 1e-8, out * 1e-6
            angle = torch.acos(out.float().clamp(-1 + 1e-7, 1 - 1e-7)) + torch.acos(out.clamp(-0.999, 0.999))
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = layer(x)
            fine = out / (out.std(-1, keepdim=True) + 1e-8)  # bfloat16 has float32's range
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            std = out.std(-1, keepdim=True)
            y = (out - out.mean(-1, keepdim=True)) / (std + 1e-8)
            z = torch.log(torch.clamp(torch.relu(out), min=1e-10))
            tiny = out.abs() * 1e-9
            angle = torch.acos(torch.clamp(out, -1.0 + 1e-7, 1.0 - 1e-7))
""",
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            std = out.float().std(-1, keepdim=True)
            y = (out - out.mean(-1, keepdim=True)) / (std + 1e-8)
            z = torch.log(torch.clamp(torch.relu(out.float()), min=1e-10))
            tiny = out.float().abs() * 1e-9
            angle = torch.acos(torch.clamp(out.float(), -1.0 + 1e-7, 1.0 - 1e-7))
""",
            (10, 11, 12, 13),
        ),
        Invalid(
            """\
import torch

def normalise(x, eps=1e-12):
    return x * torch.rsqrt(x.var(-1, keepdim=True) + eps)

layer = torch.nn.Linear(8, 8).cuda()

@torch.autocast("cuda", dtype=torch.float16)
def forward(x):
    return normalise(layer(x))
""",
            """\
import torch

def normalise(x, eps=1e-12):
    return x * torch.rsqrt(x.float().var(-1, keepdim=True) + eps)

layer = torch.nn.Linear(8, 8).cuda()

@torch.autocast("cuda", dtype=torch.float16)
def forward(x):
    return normalise(layer(x))
""",
            (4,),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        for value in source.tensor_operations:
            for guarded, message in (*_vanished(value), *_flushed(value)):
                if not proven_float16(guarded) and _may_be_probability(guarded):
                    continue
                yield self.at(
                    source,
                    guarded,
                    message,
                    proven=proven_float16(guarded),
                    repair=partial(_repair, guarded, source),
                )


_CONSEQUENCES = dict.fromkeys(_NEEDS_MORE_THAN_ZERO, "the result is infinite where the tensor is 0")
_CONSEQUENCES |= dict.fromkeys(_BELOW_ONE, "its gradient is infinite there")
_CONSEQUENCES["sqrt"] = "its gradient is infinite where the tensor is 0"


_NORMALISED = pattern(r"alpha|prob|softmax|attn|attention")


def _may_be_probability(value: Value) -> bool:
    """Whether it is made of what a model hands out under a name of weights that sum to 1: autocast computes a softmax
    in float32."""
    leaves = [value]
    while leaves:
        one = leaves.pop()
        is_item = isinstance(one.node, ast.Subscript) and isinstance(one.node.slice, ast.Constant)
        if is_item and _NORMALISED.search(str(one.node.slice.value)):
            return True
        leaves += one.operands
    return False


def _vanished(value: Value) -> Iterator[tuple[Value, str]]:
    """The guards of an operation that are lost in float16, each with what becomes of it."""
    if value.op in _BELOW_ONE and value.operands:
        yield from _lost_bound(value.operands[0], value)
        return
    position = _NEEDS_MORE_THAN_ZERO.get(value.op)
    if position is None or len(value.operands) <= position:
        return
    if value.op == "pow" and not _is_negative(value):
        return
    operand = value.operands[position]
    if operand.op == "sub" and len(operand.operands) == 2 and is_number(operand.operands[0], 1.0):
        bounded = operand.operands[1]
        if value.op != "log" or unguarded(bounded).op not in _PROBABILITIES:  # AMP402's
            yield from _lost_bound(bounded, value)
        return
    core = _picked_from(operand)
    if value.op == "log" and (core.op in _PROBABILITIES or core.op == "sub"):
        return  # AMP402 says more about logarithms of probabilities
    found = [(guarded, number) for guarded, number in guards(operand) if guarded.dtype.may_be_float16 and number]
    if found and all(abs(number) <= FLOAT16_VANISHES for _, number in found):
        guarded, number = found[0]
        lost = f"{number:g} is 0 in float16 and guards nothing"
        yield guarded, f"{lost} before {value.op}: {_CONSEQUENCES[value.op]}"


def _lost_bound(bounded: Value, value: Value) -> Iterator[tuple[Value, str]]:
    """The upper bound below 1 of a clamp that is 1 in half precision."""
    bound = bounded.argument("max", 2) if bounded.op in ("clamp", "clamp_max") else None
    if bound is not None and bounded.is_half and rounds_to_one(bound.number, bounded.dtype):
        lost = f"the upper bound {bound.number:.10g} is 1 in {bounded.dtype.value}"
        yield bounded, f"{lost} before {value.op}: {_CONSEQUENCES[value.op]}"


def _picked_from(value: Value) -> Value:
    """What a value is a part or another arrangement of, guards aside."""
    core = unguarded(value)
    while core.op in PICKS and core.operands:
        core = unguarded(core.operands[0])
    return core


def _flushed(value: Value) -> Iterator[tuple[Value, str]]:
    """A product in which a factor leaves nothing of a float16 tensor."""
    for meeting in meetings(value):
        factor = abs(meeting.number) if meeting.sign == "*" else 1 / abs(meeting.number) if meeting.number else 0.0
        if meeting.sign in "*/" and 0 < factor <= FLOAT16_VANISHES and value.dtype.may_be_float16:
            yield (
                value,
                f"a factor of {factor:g} makes 0 of all that is below {FLOAT16_VANISHES / factor:.3g} in float16",
            )


def _is_negative(power: Value) -> bool:
    exponent = power.operands[1].number if len(power.operands) > 1 else None
    return exponent is not None and exponent < 0


def _repair(guarded: Value, source: Source) -> Repair | str:
    entering = list(dict.fromkeys(_sources(guarded, guarded.function)))
    if not entering:
        return "the tensor is computed in another function; cast it with .float() before this expression"
    return Repair(
        "float_operands",
        Applicability.SAFE,
        "Compute the guarded value in float32",
        source.span(guarded.node),
        {"places": places(source, entering)},
    )


_ARITHMETIC = frozenset({"add", "sub", "mul", "div"})
_OPAQUE = frozenset({"input", "network", "linear", "matmul", "tuple", "join", "setitem", "bmm", "einsum", "cast"})


def _sources(value: Value, function: ast.AST | None) -> Iterator[ast.expr]:
    """The expressions at which half tensors enter what leads to `value`."""
    for operand, part in zip(value.operands, value.parts, strict=False):
        if not operand.is_half:
            continue
        is_named_result = operand.op in _ARITHMETIC and isinstance(part, ast.Name)
        is_leaf = operand.op in _OPAQUE or operand.op.startswith("conv") or operand.in_place or is_named_result
        is_elsewhere = operand.function is not function or operand.context.entered is not value.context.entered
        inner = [] if is_leaf or is_elsewhere else list(_sources(operand, function))
        yield from inner or [part]
        if value.op not in _ARITHMETIC and value.op not in ("where", "cat", "stack"):
            return
