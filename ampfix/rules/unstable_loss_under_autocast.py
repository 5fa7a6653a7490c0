"""AMP407."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Autocast, Source, Value
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import TensorRule, in_region, is_bounded, places, proven_float16
from ampfix.rules._spellings import FLOAT16_TENSORS

# What autocast runs in float32 because its results leave float16's range: exp from 11.1 on, squares from 256 on.
_OVERFLOWS = frozenset({"exp", "expm1", "sinh", "cosh", "prod", "cumprod"})
_HUNGRY = _OVERFLOWS | {"pow", "square", "reciprocal", "cumsum", "sum", "norm", "cdist", "dist"}


class UnstableLossUnderAutocast(TensorRule):
    """An operation that needs float32's range runs in float16, past autocast's protection.

    ## What it does
    Finds float16 tensors that meet `exp`, `pow`, `prod`, `sum` and the like where autocast does not promote them: the
    in-place and out= forms inside a region, whole blocks under `autocast(enabled=False)` that half tensors enter
    without `.float()`, and, behind a region, exponentials and products of its half results.

    ## Why is this bad
    Inside a region autocast runs these operations in float32, but it knows only their out-of-place forms: `x.exp_()`
    stays half and is inf from 11.1 on. A bare `enabled=False` switches the protection off and leaves its inputs half: a
    sum of 2048 x 64 ones is inf there. The overflow is in the forward pass, so that no loss scale helps.

    ## Example
    ```python
    similarity = a @ b.T / 0.07
    weights = similarity.exp_()
    with torch.autocast("cuda", enabled=False):
        total = similarity.sum()
    ```

    ## Use instead
    ```python
    similarity = a @ b.T / 0.07
    weights = similarity.exp()
    with torch.autocast("cuda", enabled=False):
        similarity = similarity.float()
        total = similarity.sum()
    ```

    ## Fix safety
    Unsafe: float32 results take twice the memory, an out-of-place operation a tensor more, and what follows runs in
    float32.

    ## References
    - https://pytorch.org/docs/stable/amp.html#autocast-op-reference
    """

    code, name, severity = "AMP407", "unstable-loss-under-autocast", Severity.WARNING
    fix = Applicability.UNSAFE
    mentions = (
        *AMP_WORDS,
        (".half(", "re:exp_?\\(|expm1|sinh|cosh|prod"),
        (FLOAT16_TENSORS, "exp("),
    )
    scenarios = ("box-area-in-half", "contrastive-loss")

    VALID = (
        """\
import torch
import torch.nn.functional as F

layer = torch.nn.Linear(8, 8).cuda()

def loss_of(a, b):
    similarity = a @ b.T / 0.07
    weights = torch.exp(similarity)
    return -torch.log(weights.diagonal() / weights.sum(1)).mean()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            loss = out.pow(2).sum() + out.float().exp_().mean()
        with torch.autocast("cuda", enabled=False):
            loss = loss + out.float().sum() + F.mse_loss(out, y)
            out = out.float()
            loss = loss + out.exp().sum()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = loss + layer(x).exp_().mean()
        loss = loss + F.cross_entropy(out, y) + x.exp().sum()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def loss_of(similarity):
    weights = similarity.exp_()
    return -torch.log(weights.diagonal()).mean()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = loss_of(layer(x) @ layer(y).T / 0.07)
            out = layer(x)
            out.pow_(2)
""",
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def loss_of(similarity):
    weights = similarity.exp()
    return -torch.log(weights.diagonal()).mean()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = loss_of(layer(x) @ layer(y).T / 0.07)
            out = layer(x)
            out = out.pow(2)
""",
            (6, 14),
        ),
        Invalid(
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

@torch.autocast("cuda", enabled=False)
def energy(x, y):
    \"\"\"Half the squares.\"\"\"
    return (x ** 2).sum() / 2 + y.exp().mean()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            loss = energy(out, layer(y))
            with torch.autocast("cuda", enabled=False):
                loss = loss + out.sum()
        late = out.exp().mean()
""",
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

@torch.autocast("cuda", enabled=False)
def energy(x, y):
    \"\"\"Half the squares.\"\"\"
    x = x.float()
    y = y.float()
    return (x ** 2).sum() / 2 + y.exp().mean()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            loss = energy(out, layer(y))
            with torch.autocast("cuda", enabled=False):
                out = out.float()
                loss = loss + out.sum()
        late = out.exp().mean()
""",
            (8, 16, 17),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        islands: set[object] = set()
        for value in source.tensor_operations:
            if value.op not in _HUNGRY or not value.dtype.may_be_float16 or not value.operands:
                continue
            if value.op in ("exp", "expm1") and is_bounded(value.operands[0]):
                continue
            context = value.context
            if in_region(value) and value.in_place:
                yield self.at(
                    source,
                    value,
                    _in_place(value),
                    proven=proven_float16(value),
                    repair=partial(_outside, value, source),
                )
            elif context.state is Autocast.ISLAND and context.entered not in islands and value.operands[0].is_half:
                islands.add(context.entered)
                message = f"{value.op} in float16: autocast is off here, and what enters is still half"
                repair = partial(_island, value, source)
                yield self.at(source, value, message, proven=proven_float16(value), repair=repair)
            elif context.state is Autocast.OFF and value.op in _OVERFLOWS and value.operands[0].is_half:
                message = f"{value.op} in float16: the tensor is half here, and no autocast acts"
                yield self.at(
                    source, value, message, proven=proven_float16(value), repair=partial(_cast, value, source)
                )


def _in_place(value: Value) -> str:
    form = "out=" if "out" in value.keywords else "in place"
    return f"{value.op} {form} stays float16: autocast runs only the plain form in float32, and this one overflows"


def _outside(value: Value, source: Source) -> Repair | str:
    """The plain form of an in-place method."""
    call = value.node
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or len(value.parts) < 1:
        return "an augmented assignment keeps the tensor's dtype; write it out: x = x ** 2"
    if "out" in value.keywords or value.parts[:1] != (call.func.value,):
        return "the result goes into a tensor made beforehand; take the returned one instead"
    receiver = call.func.value
    text = source.segment(receiver)
    holder = next(iter(source.ancestors(call)), None)
    is_statement = isinstance(holder, ast.Expr)
    if not is_statement and isinstance(receiver, ast.Name) and _read_later(receiver.id, call, value.function, source):
        return f"{text} is read again behind this call, which overwrites it; decide which of the two is meant"
    arguments = source.segment(call)[len(source.segment(call.func)) :]
    return Repair(
        "rewrite_expression",
        Applicability.UNSAFE,
        "Use the form that autocast runs in float32",
        source.span(call),
        {"source": f"{text}.{value.op}{arguments}", "target": text if is_statement else ""},
    )


def _read_later(name: str, call: ast.Call, function: ast.AST | None, source: Source) -> bool:
    """Whether a name is read behind the statement of a call, before or without being assigned by it."""
    statement = next((node for node in source.ancestors(call) if isinstance(node, ast.stmt)), None)
    if isinstance(statement, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in statement.targets):
        return False
    end = getattr(statement, "end_lineno", call.lineno)
    reads = (node for node in ast.walk(function or source.tree) if isinstance(node, ast.Name) and node.id == name)
    return any(isinstance(node.ctx, ast.Load) and node.lineno > end for node in reads)


def _island(value: Value, source: Source) -> Repair | str:
    entered = value.context.entered
    names = _entering(entered, source)
    if not names or value.context.region is None:
        return "what enters has no name of its own here; cast it with .float() where it is used"
    return Repair(
        "enter_as_float",
        Applicability.UNSAFE,
        "Cast what enters to float32",
        source.span(value.context.region),
        {"names": ",".join(names)},
    )


def _entering(island: object, source: Source) -> list[str]:
    """The names by which half tensors come into an island, in the order of their use."""
    names: dict[str, None] = {}
    for value in source.tensor_operations:
        if value.context.entered is island:
            for operand, part in zip(value.operands, value.parts, strict=False):
                is_outer = operand.is_half and operand.context.entered is not island
                if is_outer and isinstance(part, ast.Name):
                    names[part.id] = None
    return list(names)


def _cast(value: Value, source: Source) -> Repair:
    return Repair(
        "float_operands",
        Applicability.UNSAFE,
        "Compute it in float32",
        source.span(value.node),
        {"places": places(source, list(value.parts[:1]))},
    )
