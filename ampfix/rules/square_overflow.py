"""AMP406."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf, prod

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Autocast, Source, Value
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import PICKS, TensorRule, proven_float16, wrapped

_OVERFLOWS = 256.0  # its square is beyond float16
_AT_MOST_ONE = frozenset(
    {"sigmoid", "tanh", "softmax", "sin", "cos", "hardtanh", "hardsigmoid", "normalize", "cosine_similarity", "sign"}
)
_BOUND_BY = PICKS | {"mul", "add", "sub", "neg", "abs", "join"}
_REDUCES = frozenset({"sum", "mean", "sqrt", "rsqrt", "norm", "var", "std", "cumsum"})
_SQUARES = r"re:[\w)\]]\s*\*\*|pow_?\(|square|(\b\w[\w.]*) \* \1\b"
_ENDS_IN = r"re:(?:sum|mean|sqrt|norm|var|std)\w*\s*\("
_CARRIES = PICKS | {"add", "sub", "mul", "div", "neg", "join", "sum", "mean"}


class SquareOverflow(TensorRule):
    """A square is computed in float16, where it overflows from 256 on.

    ## What it does
    Finds `x * x` of float16 tensors (and `x ** 2`, `x.square()` where autocast does not act) whose result is summed,
    averaged or rooted: norms, variances and distances written by hand. What is at most 1, as a sigmoid or a tanh, and
    what is clamped below 256 is left alone.

    ## Why is this bad
    256 squared is 65536, more than float16 holds. CUDA's autocast computes `pow`, `square`, `norm` and `sum` in
    float32, but a product of two half tensors stays half. A root mean square by `x * x` does not even give NaN: the
    mean is inf, its inverse 0, and the layer's output silently 0.

    ## Example
    ```python
    rms = torch.sqrt((x * x).mean(-1, keepdim=True))
    ```

    ## Use instead
    ```python
    rms = torch.sqrt(x.float().square().mean(-1, keepdim=True))
    ```

    ## Fix safety
    Unsafe: what follows runs in float32 and takes more memory.

    ## References
    - https://pytorch.org/docs/stable/amp.html#cuda-ops-that-autocast-to-float32
    """

    code, name, severity = "AMP406", "square-overflow", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("square-in-half",)
    mentions = (*AMP_WORDS, (".half(", _SQUARES, _ENDS_IN))

    VALID = (
        """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = layer(x)
            a = out.pow(2).mean() + (out ** 2).sum() + out.square().mean() + out.norm()
            b = (out.float() * out.float()).mean()
            gated = out * torch.sigmoid(out) + out * out
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = layer(x)
            c = (out * out).mean()
        d = (x * x).mean()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

class RMSNorm(torch.nn.Module):
    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)

layer, norm = torch.nn.Linear(8, 8).cuda(), RMSNorm()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = norm(layer(x)).sum()
            distance = ((layer(x) - y) * (layer(x) - y)).sum()
            error = layer(x) - layer(y)
            close = torch.mul(error, error).sum(-1)
        late = (error ** 2).mean()
""",
            """\
import torch

class RMSNorm(torch.nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6)

layer, norm = torch.nn.Linear(8, 8).cuda(), RMSNorm()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = norm(layer(x)).sum()
            distance = ((layer(x) - y) * (layer(x) - y)).sum()
            error = layer(x) - layer(y)
            close = error.float().square().sum(-1)
        late = error.float().square().mean()
""",
            (5, 15, 16),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        values = source.tensor_operations
        reduced = _reduced(values)
        for value in values:
            if value.site is not None and not proven_float16(value):
                continue  # neither its dtype nor its size is known here
            is_half = not value.in_place and value.dtype.may_be_float16
            if is_half and value in reduced and _is_square(value) and _largest(value.operands[0]) >= _OVERFLOWS:
                yield self.at(
                    source,
                    value,
                    f"a square in {value.dtype.value} is inf from 256 on, and its mean, sum or root with it",
                    proven=proven_float16(value),
                    repair=partial(_repair, value, source),
                )


def _repair(value: Value, source: Source) -> Repair:
    return Repair(
        "rewrite_expression",
        Applicability.UNSAFE,
        "Square in float32",
        source.span(value.node),
        {"source": f"{wrapped(source.segment(value.parts[0]))}.float().square()"},
    )


def _is_square(value: Value) -> bool:
    if value.context.state is Autocast.ISLAND or len(value.operands) < 1:
        return False  # AMP407 repairs an island as a whole
    if value.op == "mul":
        return len(value.operands) == 2 and value.operands[0] is value.operands[1]
    exponent = value.operands[1].number if len(value.operands) > 1 else None
    return value.op == "square" or (value.op == "pow" and exponent == 2)


def _largest(value: Value, deep: int = 6) -> float:
    """What no element of a tensor passes in size, as far as the last operations tell."""
    sizes = [_largest(one, deep - 1) for one in value.operands] if deep and value.op in _BOUND_BY else []
    if value.number is not None:
        return abs(value.number)
    if value.op in _AT_MOST_ONE:
        return 1.0
    if value.op == "clamp":
        bounds = (value.argument("min", 1), value.argument("max", 2))
        return max(inf if one is None or one.number is None else abs(one.number) for one in bounds)
    if value.op == "mul" and sizes:
        return prod(sizes)
    if value.op in ("add", "sub") and sizes:
        return sum(sizes)
    if value.op == "join" and sizes:
        return max(sizes)
    return sizes[0] if sizes else inf


def _reduced(values: tuple[Value, ...]) -> set[Value]:
    """The values that end in a sum, a mean or a root."""
    seen: set[Value] = set()
    pending = [operand for value in values if value.op in _REDUCES for operand in value.operands[:1]]
    while pending:
        held = pending.pop()
        if held not in seen:
            seen.add(held)
            pending.extend(held.operands if held.op in _CARRIES else ())
    return seen
