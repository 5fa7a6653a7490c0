"""AMP402."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from itertools import islice

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Dtype, Source, Value
from ampfix.program.spelling import last_name
from ampfix.records import dataclass
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import (
    PICKS,
    TensorRule,
    argument_text,
    guards,
    in_region,
    is_number,
    names_between,
    picked_text,
    proven_float16,
    text_at,
    unguarded,
    wrapped,
)
from ampfix.rules._shapes import is_without_grad

_WIDE_GUARD = 1e-4
"""Guards from here on hold in float16: log(1e-4 + p) has a gradient of at most 1e4, which loss scales survive."""
_LEAST = 2.0**-24
"""The smallest number above 0 that float16 holds."""
_BOUNDING = ("clamp", "clip", "clamp_min", "nan_to_num")
_TINY = 1.2e-38
"""Guards from here on hold in float32."""


class LogOfProbability(TensorRule):
    """A logarithm is taken of a probability that half precision has already rounded to 0.

    ## What it does
    Finds `log(sigmoid(x))`, `log(1 - sigmoid(x))` and `log(softmax(x))`, written in one expression or through names,
    with or without a small number as a guard, where the probability is half. Where autocast computes a softmax of half
    scores in float32, it says so in a note.

    ## Why is this bad
    CUDA's autocast leaves `sigmoid` in half precision. In float16 it is exactly 0 below a logit of -17, and `1 - p` is
    exactly 0 above 8 (above 6 in bfloat16, whose significand is shorter). The logarithm is then -inf and its gradient
    NaN, in the forward pass, where no loss scale reaches. `+ 1e-8` adds nothing, since 1e-8 is 0 in float16, and
    `+ 1e-7` keeps the value finite but not the gradient. A softmax is float32 under CUDA's autocast, and its logarithm
    is -inf only at a gap of 104 between scores.

    ## Example
    ```python
    p = torch.sigmoid(logits)
    loss = -(y * torch.log(p + 1e-8) + (1 - y) * torch.log(1 - p + 1e-8)).mean()
    ```

    ## Use instead
    ```python
    loss = -(y * F.logsigmoid(logits.float()) + (1 - y) * F.logsigmoid(-logits.float())).mean()
    ```

    `F.binary_cross_entropy_with_logits` and `F.cross_entropy` do the whole of it.

    ## Fix safety
    Safe: the same function of the logits, computed without the detour. A guard disappears, which mattered where the
    probability was as small as the guard.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.nn.functional.logsigmoid.html
    """

    code, name, severity = "AMP402", "log-of-probability", Severity.WARNING
    fix = Applicability.SAFE
    mentions = (*AMP_WORDS, *((".half(", "re:\\blog_?\\(", chance) for chance in ("oftm", "igmoid", "expit")))
    scenarios = ("dtype-choice", "log-of-sigmoid")

    VALID = (
        """\
import torch
import torch.nn.functional as F

def train(model, loader):
    for x, y in loader:
        p = torch.sigmoid(model(x))
        loss = -torch.log(p + 1e-8).mean()
""",
        """\
import torch
import torch.nn.functional as F

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            logits = model(x)
            loss = -F.logsigmoid(logits).mean() - torch.log(torch.sigmoid(logits.float())).mean()
        with torch.autocast("cuda", enabled=False):
            p = torch.softmax(logits.float(), dim=-1)
            loss = loss - torch.log(p).mean()
""",
        """\
import torch

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = -torch.log(torch.sigmoid(model(x)) + 1e-3).mean()
""",
        """\
import torch

def measure(model, loader):
    for x in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            p = torch.sigmoid(model(x)).float().clamp(1e-5, 1 - 1e-5)
            print(torch.log(p) + torch.log(1 - p))
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
import torch.nn.functional as F

head = torch.nn.Linear(8, 1).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            logits = head(x)
            p = torch.sigmoid(logits)
            loss = -(y * torch.log(p + 1e-8) + (1 - y) * torch.log(1 - p + 1e-8)).mean()
""",
            """\
import torch
import torch.nn.functional as F

head = torch.nn.Linear(8, 1).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            logits = head(x)
            loss = -(y * F.logsigmoid(logits.float()) + (1 - y) * F.logsigmoid(-logits.float())).mean()
""",
            (11, 11),
        ),
        Invalid(
            """\
import torch

head = torch.nn.Linear(8, 4).cuda()

def loss_of(scores, target):
    return -torch.log(torch.softmax(scores, dim=-1)).gather(1, target).mean()

def train(loader):
    for x, target in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            scores = head(x)
        loss = loss_of(scores, target)
""",
            """\
import torch

head = torch.nn.Linear(8, 4).cuda()

def loss_of(scores, target):
    return -torch.log_softmax(scores.float(), dim=-1).gather(1, target).mean()

def train(loader):
    for x, target in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            scores = head(x)
        loss = loss_of(scores, target)
""",
            (6,),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        for value in source.tensor_operations:
            found = _probability(value)
            if found is not None and not value.in_place and not _is_shown_alone(value, source):
                yield self.at(
                    source, value, found.message, proven=found.is_sure, repair=partial(_repair, found, source)
                )


@dataclass(frozen=True)
class _Found:
    """A logarithm of a probability. made: the sigmoid or softmax; picked: what is taken of it; negated: 1 - that."""

    log: Value
    made: Value
    picked: Value
    negated: bool
    message: str
    is_sure: bool


def _probability(log: Value) -> _Found | None:
    if log.op != "log" or not log.operands:
        return None
    guard = max((number for _, number in guards(log.operands[0])), default=0.0)
    core = unguarded(log.operands[0])
    negated = core.op == "sub" and len(core.operands) == 2 and is_number(core.operands[0], 1.0)
    if _is_kept_apart(core.operands[1] if negated else log.operands[0]) or _is_raised(log.operands[0]):
        return None
    made = picked = unguarded(core.operands[1]) if negated else core
    while made.op in PICKS and made.operands:
        guard = max([guard, *(number for _, number in guards(made.operands[0]))])
        made = unguarded(made.operands[0])
    if guard >= _WIDE_GUARD or made.op not in ("sigmoid", "softmax") or not made.operands:
        return None
    if made.op == "sigmoid":
        return _of_sigmoid(log, made, picked, negated)
    return None if negated else _of_softmax(log, made, picked, guard)


def _is_shown_alone(log: Value, source: Source) -> bool:
    """Whether a logarithm is held above -inf behind it where no gradient, which would be NaN there, is taken."""
    if log.site is not None or not isinstance(log.node, ast.Call):
        return False
    around = next((one for one in islice(source.ancestors(log.node), 2) if isinstance(one, ast.Call)), None)
    if around is None or last_name(around.func) not in _BOUNDING:
        return False
    behind = around.args[1:] if log.node in around.args else around.args
    has_bound = bool(behind) or any(word.arg in ("min", "neginf") for word in around.keywords)
    return has_bound and is_without_grad(log.node, source)


def _is_kept_apart(value: Value) -> bool:
    """Whether a probability is clamped away from both 0 and 1 in float32, as metrics do."""
    bounds = (value.argument("min", 1), value.argument("max", 2)) if value.op == "clamp" else ()
    numbers = [bound.number for bound in bounds if bound is not None and bound.number is not None]
    return value.dtype is Dtype.FLOAT32 and len(numbers) == 2 and 0 < numbers[0] < numbers[1] < 1


def _is_raised(value: Value) -> bool:
    """Whether a probability is clamped to a number that float16 holds: its logarithm is finite, and has no gradient
    where the clamp acts."""
    bound = value.argument("min", 1) if value.op in ("clamp", "clamp_min") else None
    return bound is not None and bound.number is not None and bound.number >= _LEAST


def _of_sigmoid(log: Value, made: Value, picked: Value, negated: bool) -> _Found | None:
    if not made.is_half or not (negated or made.dtype.may_be_float16):
        return None  # bfloat16 holds sigmoid(x) down to x = -92
    if negated:
        message = f"log(1 - sigmoid) in {made.dtype.value}: 1 - p rounds to 0 above a logit of 8 (6 in bfloat16)"
    else:
        message = f"log(sigmoid) in {made.dtype.value}: p rounds to 0 below a logit of -17"
    sure = made.sure and (negated or made.dtype is Dtype.FLOAT16)
    return _Found(log, made, picked, negated, f"{message}, so the loss is inf and its gradient NaN", sure)


def _of_softmax(log: Value, made: Value, picked: Value, guard: float) -> _Found | None:
    if made.dtype.may_be_float16:
        message = f"log(softmax) in {made.dtype.value}: p rounds to 0 where a score lies 17 below the highest"
        return _Found(log, made, picked, False, f"{message}, so the loss is inf", proven_float16(made))
    if made.operands[0].is_half and in_region(made) and guard < _TINY:
        message = "log(softmax) of half scores: float32 under CUDA's autocast, and still -inf at a gap of 104"
        return _Found(log, made, picked, False, f"{message}; log_softmax has no such limit", False)
    return None


def _repair(found: _Found, source: Source) -> Repair | str:
    log, made = found.log, found.made
    scores = text_at(source, made, log)
    if scores is None:
        return "the scores cannot be named here: they are computed elsewhere, or their name has changed since"
    scores = f"{wrapped(scores)}.float()"
    if made.op == "sigmoid":
        new = f"<torch.nn.functional.logsigmoid>({'-' if found.negated else ''}{scores})"
    else:
        position = 0 if not made.symbol else 1
        dim = argument_text(source, made.node, "dim", position)
        if dim is None:
            return "the softmax names no dimension here"
        new = f"<torch.log_softmax>({scores}, dim={dim})"
    picked = picked_text(source, found.picked, made, new, log)
    if picked is None:
        return "the logarithm is of part of the probabilities; take log_softmax or logsigmoid of all, then pick"
    carried = (names_between(value, log) for value in dict.fromkeys((made, found.picked)))
    return Repair(
        "rewrite_expression",
        Applicability.SAFE,
        "Take the logarithm of the scores directly",
        source.span(log.node),
        {"source": picked, "unused": ",".join(filter(None, carried))},
    )
