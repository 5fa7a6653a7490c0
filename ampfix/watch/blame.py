"""Which rule a bad op belongs to, as far as the op and its operands tell."""

from __future__ import annotations

import re

from ampfix.watch.trace import BadOp, Operand

_HALVES = frozenset({"float16", "bfloat16"})
_LOGARITHMS = frozenset({"log", "log2", "log10", "log1p", "log_"})
_PRODUCTS = frozenset({"mul", "mul_", "add", "add_", "sub", "sub_", "div", "div_"})
_BATCHED = frozenset({"bmm", "baddbmm"})
_CAST = re.compile(r"half|float16|\.to\(|\.type\(|dtype")
_LARGEST = {"float16": 65504.0}


OF_VALUES = frozenset(
    {"AMP305", "AMP308", "AMP401", "AMP402", "AMP404", "AMP406", "AMP407", "AMP408", "AMP409", "AMP412"}
)
"""The rules named here: of what becomes of values, which a run that diverges in any precision also shows."""


def code_of(bad: BadOp) -> str:
    """The rule, "" where several fit."""
    if bad.in_function:
        return "AMP408"
    op = bad.op.removesuffix("_")
    if op in _LOGARITHMS:
        return "AMP402"
    if "batch_norm" in op:
        return "AMP409"
    if op in ("div", "reciprocal", "rsqrt", "true_divide") and any(item.smallest == 0 for item in bad.inputs[-1:]):
        return "AMP404" if _half(bad.inputs) else ""
    if op in ("pow", "square") or (op == "mul" and bad.same_operand):
        return "AMP406" if _half(bad.inputs) else ""
    if op in ("exp", "softmax", "_softmax", "logsumexp", "sum") and not bad.backward:
        return "AMP401"
    if op in ("_to_copy", "copy") and bad.result == "float16":
        return "AMP305" if _CAST.search(bad.source) else ""
    if op in _BATCHED and "softmax" in bad.reached:
        return "AMP412"
    if op in ("mul", "prod") and bad.result == "float16" and not bad.numbers and not bad.backward:
        return "AMP407"
    if op in _PRODUCTS and bad.result in _HALVES and bad.numbers:
        return "AMP308"
    return "AMP308" if bad.result == "float16" and not bad.backward else ""


def _half(inputs: tuple[Operand, ...]) -> bool:
    return any(item.dtype in _HALVES for item in inputs)


SUMMING = frozenset(
    {"mul", "pow", "square", "sum", "mean", "mm", "addmm", "bmm", "baddbmm", "matmul", "convolution", "add", "sub"}
)
"""Ops that overflow by their size alone: no loop makes an infinity on purpose with them."""


def vanished(origins: list[BadOp]) -> BadOp | None:
    """The first overflow of a forward in half that did not reach the loss, None where there is none."""
    for bad in origins:
        if not bad.backward and bad.result in _HALVES and bad.op.removesuffix("_") in SUMMING:
            return bad
    return None


def in_words(bad: BadOp) -> str:
    """One line: op, dtype, module and ranges."""
    ranges = ", ".join(f"{item.dtype}{list(item.shape)} from {item.low:.4g} to {item.high:.4g}" for item in bad.inputs)
    numbers = f" and {', '.join(f'{number:g}' for number in bad.numbers)}" if bad.numbers else ""
    where = f" in {bad.module}" if bad.module else ""
    when = "the backward of " if bad.backward else ""
    limit = f" (float16 ends at {_LARGEST[bad.result]:g})" if bad.result in _LARGEST else ""
    return f"{when}{bad.op}{where} made {bad.result} that is not finite{limit} of {ranges or 'no tensor'}{numbers}"
