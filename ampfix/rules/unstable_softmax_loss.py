"""AMP401."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Source, Value
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import (
    PICKS,
    TensorRule,
    argument_text,
    is_bounded,
    names_between,
    picked_text,
    text_at,
    unguarded,
    wrapped,
)

_SUMS = frozenset({"sum", "add"})
_THROUGH = PICKS | {"mul", "mean"}
_SHIFTS = frozenset({"max", "amax", "logsumexp"})


class UnstableSoftmaxLoss(TensorRule):
    """A softmax or its logarithm is written by hand, with exponentials of half scores.

    ## What it does
    Finds `exp(x) / exp(x).sum(...)` and `log(exp(x).sum(...))`, and losses made of them, in one expression or through
    names, where the scores are float16. A warning where the exponential itself is float16; a note where autocast
    computes it in float32.

    ## Why is this bad
    float16 ends at 65504, which exp reaches at 11.09: a cosine similarity over a temperature of 0.07 is enough. CUDA's
    autocast runs `exp`, `sum` and `log` in float32, where the limit is 88.7; an in-place `exp_`, a loss behind the
    region, and the autocast of a CPU do not. `logsumexp`, `softmax` and `cross_entropy` subtract the maximum first and
    have no limit in any dtype.

    ## Example
    ```python
    weights = torch.exp(scores)
    loss = -torch.log(weights.diagonal() / weights.sum(dim=1)).mean()
    ```

    ## Use instead
    ```python
    loss = F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))
    ```

    ## Fix safety
    Unsafe: the same function of the scores, without intermediate overflow; a small number that was added as a guard
    disappears. A loss that is spread over several statements is left to you.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.logsumexp.html
    """

    code, name, severity = "AMP401", "unstable-softmax-loss", Severity.WARNING
    fix = Applicability.UNSAFE
    mentions = (*AMP_WORDS, (".half(", "exp("), (".half(", "exp_("))
    scenarios = ("contrastive-loss", "softmax-by-hand")

    VALID = (
        """\
import torch
import torch.nn.functional as F

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            scores = layer(x)
            shifted = scores - scores.amax(-1, keepdim=True)
            a = torch.exp(shifted) / torch.exp(shifted).sum(-1, keepdim=True)
            b = torch.log(torch.exp(scores.float()).sum(-1))
            c = torch.logsumexp(scores, -1) + F.cross_entropy(scores, y)
            d = torch.log(1 + torch.exp(scores)) + torch.exp(scores) / 2
        e = torch.log(torch.exp(x).sum(-1))
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
            scores = layer(x)
            loss = torch.log(torch.exp(scores).sum(dim=-1) + 1e-8).mean()
        weights = torch.exp(scores)
        p = weights / torch.sum(weights, dim=1, keepdim=True)
""",
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            scores = layer(x)
            loss = torch.logsumexp(scores, dim=-1).mean()
        p = torch.softmax(scores.float(), dim=1)
""",
            (9, 11),
        ),
        Invalid(
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            scores = layer(x) @ layer(y).T / 0.07
            weights = torch.exp(scores)
            positive = weights.diagonal()
            loss = -torch.log(positive / weights.sum(dim=1)).mean()
""",
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            scores = layer(x) @ layer(y).T / 0.07
            loss = -(scores.diagonal() - torch.logsumexp(scores, dim=1)).mean()
""",
            (11,),
        ),
        Invalid(
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            weights = torch.exp(layer(x))
            other = torch.log(weights.sum() / weights.sum(dim=0))
""",
            None,
            (9,),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        told: set[Value] = set()
        for value in reversed(source.tensor_operations):  # a logarithm before the division in it
            exponential = _by_hand(value)
            if exponential is None or value in told:
                continue
            told.update(_below(value))
            in_half = exponential.dtype.may_be_float16
            scores = exponential.operands[0]
            if in_half:
                message = "exp in float16 is inf from 11.09 on, and the softmax written with it inf / inf"
            else:
                message = (
                    "a softmax of half scores written by hand: CUDA's autocast runs exp in float32, where it is inf "
                    "from 88.7 on; logsumexp, softmax and cross_entropy have no limit"
                )
            proven = in_half and exponential.sure and scores.sure
            yield self.at(source, value, message, proven=proven, repair=partial(_repair, value, exponential, source))


def _by_hand(value: Value) -> Value | None:
    """The exponential of half scores that a logarithm or a quotient normalises."""
    if value.op == "log" and value.operands:
        inner = unguarded(value.operands[0])
        quotient = _quotient(_whole(inner))
        return quotient if quotient is not None else _sum_of_exp(inner)
    return _quotient(value)


def _whole(value: Value) -> Value:
    """What a value is picked from."""
    while value.op in PICKS and value.operands:
        value = value.operands[0]
    return value


def _quotient(value: Value) -> Value | None:
    """Of `exp(x) / sum(exp(x))`, the exponential."""
    if value.op != "div" or len(value.operands) < 2:
        return None
    above = next(_exponentials(value.operands[0]), None)
    below = _sum_of_exp(unguarded(value.operands[1]))
    return below if above is not None and below is not None else None


def _sum_of_exp(value: Value) -> Value | None:
    """Of a sum over exponentials, the exponential: `exp(x).sum()`, or sums of such."""
    summed = value.op == "sum" or (value.op == "add" and any(_sum_of_exp(o) is not None for o in value.operands))
    if value.op in PICKS and value.operands:
        return _sum_of_exp(value.operands[0])
    return next(_exponentials(value), None) if summed else None


def _exponentials(value: Value, depth: int = 8) -> Iterator[Value]:
    """Exponentials of half scores that have not been shifted by their maximum."""
    if value.op == "exp" and value.operands:
        scores = value.operands[0]
        half = scores.dtype.may_be_float16 or value.dtype.may_be_float16
        shifted = scores.op == "sub" and any(_has_maximum(operand) for operand in scores.operands)
        if half and not shifted and not is_bounded(scores):
            yield value
    elif depth and (value.op in _SUMS or value.op in _THROUGH):
        for operand in value.operands:
            yield from _exponentials(operand, depth - 1)


def _has_maximum(value: Value) -> bool:
    return value.op in _SHIFTS or (value.op in PICKS and bool(value.operands) and _has_maximum(value.operands[0]))


def _below(value: Value, depth: int = 6) -> Iterator[Value]:
    yield value
    for operand in value.operands if depth else ():
        yield from _below(operand, depth - 1)


def _repair(value: Value, exponential: Value, source: Source) -> Repair | str:
    """softmax, logsumexp or their difference, where every name involved still holds what it held."""
    inner = unguarded(value.operands[0]) if value.op == "log" else value
    whole = _whole(inner)
    above, total = (whole.operands[0], unguarded(whole.operands[1])) if whole.op == "div" else (None, inner)
    is_plain = total.op == "sum" and total.operands[:1] == (exponential,) and not exponential.in_place
    scores = text_at(source, exponential, value) if is_plain else None
    if scores is None:
        return "the loss is spread over several statements; write it with cross_entropy, log_softmax or logsumexp"
    if exponential.dtype.may_be_float16:
        scores = f"{wrapped(scores)}.float()"
    new = _stable(value, inner, whole, above, total, exponential, scores, source)
    if new is None:
        return "what is divided, or along which dimension, is not plain; write it with cross_entropy or logsumexp"
    carried = dict.fromkeys(made for made in (exponential, total, above, whole, inner) if made is not None)
    return Repair(
        "rewrite_expression",
        Applicability.UNSAFE,
        "Use the function that subtracts the maximum",
        source.span(value.node),
        {"source": new, "unused": ",".join(filter(None, (names_between(made, value) for made in carried)))},
    )


def _stable(
    value: Value,
    inner: Value,
    whole: Value,
    above: Value | None,
    total: Value,
    exponential: Value,
    scores: str,
    source: Source,
) -> str | None:
    """The expression to write instead; None where it is not clear which."""
    dim = argument_text(source, total.node, "dim", 1 if total.symbol else 0)
    keeps = argument_text(source, total.node, "keepdim", 2 if total.symbol else 1) == "True"
    if dim is None:
        return None
    if above is exponential and keeps:
        if value.op != "log":
            return f"<torch.softmax>({scores}, dim={dim})"
        return picked_text(source, inner, whole, f"<torch.log_softmax>({scores}, dim={dim})", value)
    normaliser = f"<torch.logsumexp>({scores}, dim={dim}{', keepdim=True' if keeps else ''})"
    if above is None:
        return normaliser
    picked = picked_text(source, above, exponential, scores, value) if value.op == "log" and inner is whole else None
    return None if picked is None else f"({picked} - {normaliser})"
