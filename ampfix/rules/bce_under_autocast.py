"""AMP403."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Dtype, Source, Value
from ampfix.rules._base import Invalid
from ampfix.rules._halves import TensorRule, in_region, names_between, places, text_at, unguarded

_OP = "binary_cross_entropy"


class BceUnderAutocast(TensorRule):
    """Binary cross-entropy of probabilities is computed inside an autocast region, which CUDA's autocast refuses.

    ## What it does
    Finds `F.binary_cross_entropy` and `nn.BCELoss` called inside a CUDA autocast region, or in a function of the
    project that such a region calls.

    ## Why is this bad
    The call raises: "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast". A half
    probability of 0 or 1 has an infinite loss, so torch does not let it come to that, whatever the inputs' dtype.

    ## Example
    ```python
    with torch.autocast("cuda"):
        loss = F.binary_cross_entropy(torch.sigmoid(model(x)), y)
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda"):
        loss = F.binary_cross_entropy_with_logits(model(x), y)
    ```

    Where a model returns probabilities, leave autocast for the loss:
    ```python
        with torch.autocast("cuda", enabled=False):
            loss = F.binary_cross_entropy(model_output.float(), y.float())
    ```

    ## Fix safety
    Safe: where the sigmoid is found, the loss of its logits is the same function; elsewhere the loss runs in float32,
    on probabilities that are as coarse as the model made them.

    ## References
    - https://pytorch.org/docs/stable/amp.html#prefer-binary-cross-entropy-with-logits-over-binary-cross-entropy
    """

    code, name, severity = "AMP403", "bce-under-autocast", Severity.ERROR
    fix = Applicability.SAFE
    scenarios = ("bce-in-region",)

    VALID = (
        """\
import torch
import torch.nn.functional as F

def train(model, loader, criterion=torch.nn.BCELoss()):
    for x, y in loader:
        with torch.autocast("cuda"):
            p = torch.sigmoid(model(x))
            with torch.autocast("cuda", enabled=False):
                loss = F.binary_cross_entropy(p.float(), y)
        loss = loss + criterion(p.float(), y)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss + F.binary_cross_entropy(p, y)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
import torch.nn.functional as F

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            p = torch.sigmoid(model(x))
            loss = F.binary_cross_entropy(p, y, reduction="sum")
""",
            """\
import torch
import torch.nn.functional as F

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            p = torch.sigmoid(model(x).float())
            with torch.autocast("cuda", enabled=False):
                loss = F.binary_cross_entropy(p, y.float(), reduction="sum")
""",
            (8,),
        ),
        Invalid(
            """\
import torch
import torch.nn.functional as F

def loss_of(logits, y):
    p = torch.sigmoid(logits)
    return F.binary_cross_entropy(p, y)

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = loss_of(model(x), y)
""",
            """\
import torch
import torch.nn.functional as F

def loss_of(logits, y):
    return F.binary_cross_entropy_with_logits(logits, y)

def train(model, loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = loss_of(model(x), y)
""",
            (6,),
        ),
        Invalid(
            """\
import torch
from torch import nn

class Trainer:
    def __init__(self, model):
        self.model = model
        self.criterion = nn.BCELoss()

    def step(self, x, y):
        with torch.cuda.amp.autocast():
            return self.criterion(self.model(x), y)
""",
            """\
import torch
from torch import nn

class Trainer:
    def __init__(self, model):
        self.model = model
        self.criterion = nn.BCELoss()

    def step(self, x, y):
        with torch.cuda.amp.autocast():
            loss_input = self.model(x)
            with torch.autocast("cuda", enabled=False):
                return self.criterion(loss_input.float(), y.float())
""",
            (11,),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        for value in source.tensor_operations:
            if value.op == _OP and in_region(value) and value.context.device != "cpu":
                yield self.at(
                    source,
                    value,
                    "binary cross-entropy of probabilities under CUDA's autocast raises: compute it from logits, or in "
                    "float32 outside autocast",
                    proven=_is_certain(value) and not _is_choice(value, source),
                    repair=partial(_repair, value, source),
                )


def _is_certain(loss: Value) -> bool:
    return loss.context.device == "cuda" and not loss.context.optional


def _is_choice(loss: Value, source: Source) -> bool:
    """Whether what is called may be another loss as well: `criterion` of a configuration."""
    is_call = loss.site is None and isinstance(loss.node, ast.Call)
    return is_call and len({one.symbol for one in source.resolve(loss.node.func)}) > 1


def _repair(loss: Value, source: Source) -> Repair | str:
    if len(loss.parts) < 2 or any(isinstance(part, ast.Starred) for part in loss.parts):
        return "the call's arguments cannot be told apart; compute it in float32 outside autocast, or from logits"
    made = unguarded(loss.operands[0])
    logits = text_at(source, made, loss) if made.op == "sigmoid" and loss.symbol.endswith(f".{_OP}") else None
    if logits is not None:
        rest = [source.segment(item) for item in (*loss.node.args[1:], *loss.node.keywords)]
        return Repair(
            "rewrite_expression",
            Applicability.SAFE,
            "Compute the loss from the logits",
            source.span(loss.node),
            {
                "source": f"<torch.nn.functional.{_OP}_with_logits>({', '.join([logits, *rest])})",
                "unused": names_between(made, loss),
            },
        )
    return Repair(
        "float_island",
        Applicability.SAFE,
        "Compute the loss in float32, outside autocast",
        source.span(loss.node),
        {"device": "cuda", "places": places(source, list(_entering(loss, made)))},
    )


def _entering(loss: Value, made: Value) -> Iterator[ast.expr]:
    """What to cast: the logits where the sigmoid is seen, since its half result may be 0 or 1.

    An expression in the call itself is float32 only as long as autocast acts on it, so that it is cast in any case.
    """
    if made.op == "sigmoid" and made.parts and made.function is loss.function:
        if made.operands[0].dtype is not Dtype.FLOAT32:
            yield made.parts[0]
    elif loss.operands[0].dtype is not Dtype.FLOAT32 or not isinstance(loss.parts[0], ast.Name):
        yield loss.parts[0]
    if loss.operands[1].dtype is not Dtype.FLOAT32 or not isinstance(loss.parts[1], ast.Name):
        yield loss.parts[1]
