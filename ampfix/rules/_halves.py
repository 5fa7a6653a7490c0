"""What rules about half precision share: patterns in how a tensor came about, and text that still means the same."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Iterator

from ampfix.findings import Finding, Position, Repair, Severity, Span, TracePoint
from ampfix.patterns import pattern
from ampfix.program import Autocast, Dtype, Source, Value
from ampfix.program.tree import walk
from ampfix.rules._base import Rule, as_argument
from ampfix.rules._spellings import HALF_TENSORS, IN_STEPS, REGION_ON

FLOAT16_MAX = 65504.0  # torch.finfo(torch.float16).max
FLOAT16_VANISHES = 2.0**-25  # half of float16's smallest number: what is not above it rounds to 0
# Keep the numbers of a tensor, and only pick or arrange them.
PICKS = frozenset(
    {
        "view", "reshape", "transpose", "permute", "squeeze", "unsqueeze", "flatten", "gather", "index_select",
        "select", "diagonal", "diag", "masked_select", "take", "contiguous", "clone", "cast", "t", "expand",
        "detach", "float",
    }
)  # fmt: skip
PRODUCTS = ("matmul", "mm", "bmm")
_MARKED = pattern(r"<(torch[\w.]*)>")  # a name that the codemod spells
_NOT_NEGATIVE = frozenset({"square", "abs", "norm", "cdist", "pdist", "pairwise_distance", "relu", "softplus", "exp"})
_GUARD = 1e-3  # a number this small beside a probability is there to keep it from 0


def places(source: Source, nodes: list[ast.expr]) -> str:
    return ";".join(as_argument(source.span(node)) for node in nodes)


def is_number(value: Value | None, wanted: float) -> bool:
    return value is not None and value.number == wanted


def guards(value: Value) -> Iterator[tuple[Value, float]]:
    """Small numbers that keep `value` away from 0, outermost first: added, or as the lower bound of a clamp."""
    while True:
        found = _guard(value)
        if found is None:
            return
        tensor, number = found
        yield value, number
        value = tensor


def unguarded(value: Value) -> Value:
    """The value under its guards."""
    while (found := _guard(value)) is not None:
        value = found[0]
    return value


def _guard(value: Value) -> tuple[Value, float] | None:
    if value.op == "add" and len(value.operands) == 2:
        for tensor, other in (value.operands, value.operands[::-1]):
            if other.number is not None and 0 < abs(other.number) <= _GUARD:
                return tensor, other.number
    if value.op in ("clamp", "clamp_min", "clamp_max", "maximum", "max") and value.operands:
        bound = value.argument("min", 1)
        if bound is not None and bound.number is not None and 0 < bound.number <= _GUARD:
            return value.operands[0], bound.number
        if bound is None and value.op in ("clamp", "clamp_max"):
            return value.operands[0], 0.0
    return None


def is_bounded(value: Value) -> bool:
    """Whether exp of a value fits float16: a probability, a cosine, the negative of a square or a distance, or one held
    below 11.09 by a clamp."""
    if value.op in ("sigmoid", "softmax", "log_softmax", "logsigmoid", "tanh") or is_cosine(value):
        return True
    if _is_not_positive(value):
        return True
    bound = value.argument("max", 2 if value.op == "clamp" else 1) if value.op in ("clamp", "clamp_max") else None
    return bound is not None and bound.number is not None and bound.number <= 11.09


def _is_not_positive(value: Value) -> bool:
    """`-(x ** 2) / (2 * sigma ** 2)`, `-gamma * distance`: what divides is taken for positive."""
    if value.op == "neg" and value.operands:
        return _is_not_negative(value.operands[0])
    if value.op == "div" and len(value.operands) > 1:
        return _is_not_positive(value.operands[0]) and (value.operands[1].number or 1) > 0
    if value.op == "mul" and len(value.operands) == 2:
        pairs = (value.operands, value.operands[::-1])
        return any(_is_not_positive(one) and _is_not_negative(other) for one, other in pairs)
    return (value.number or 0) < 0 or (
        value.op in PICKS and bool(value.operands) and _is_not_positive(value.operands[0])
    )


def _is_not_negative(value: Value) -> bool:
    if value.number is not None or value.op in _NOT_NEGATIVE:
        return value.number is None or value.number >= 0
    if value.op == "pow" and len(value.operands) > 1:
        return (value.operands[1].number or 1) % 2 == 0
    if value.op == "mul" and len(value.operands) == 2 and value.operands[0] is value.operands[1]:
        return True
    kept = value.op in ("mul", "div", "add", "sum", "mean", "sqrt") or value.op in PICKS
    return kept and bool(value.operands) and all(map(_is_not_negative, value.operands))


def is_cosine(value: Value) -> bool:
    """Whether a value is products of vectors of length 1, none of which passes 1."""
    if value.op == "cosine_similarity":
        return True
    return value.op in PRODUCTS and len(value.operands) > 1 and all(map(_is_normalized, value.operands[:2]))


def _is_normalized(vectors: Value) -> bool:
    """`normalize(x)`, `x / x.norm()`, also arranged anew."""
    while vectors.op in PICKS | {"cat", "stack", "tuple"} and vectors.operands:
        vectors = vectors.operands[0]
    if vectors.op == "join":
        return all(map(_is_normalized, vectors.operands))
    return vectors.op == "normalize" or (vectors.op == "div" and unguarded(vectors.operands[1]).op == "norm")


def rounds_to_one(number: float | None, dtype: Dtype) -> bool:
    """Whether a number below 1 is 1 in this half: half a unit in the last place is 2^-12 there, 2^-9 in bfloat16."""
    return number is not None and 1 - (2.0**-9 if dtype is Dtype.BFLOAT16 else 2.0**-12) <= number < 1


def proven_float16(value: Value) -> bool:
    return value.sure and value.dtype is Dtype.FLOAT16


def text_at(source: Source, made: Value, at: Value, part: int = 0) -> str | None:
    """The source of an operand of `made`, where it means the same at `at`: the same function, the names unchanged."""
    if part >= len(made.parts) or made.function is not at.function:
        return None
    expression = made.parts[part]
    is_inside = any(node is made.node for node in walk(at.node))
    for node in walk(expression):
        if isinstance(node, ast.Call) and not is_inside and not _is_cheap(node):
            return None  # it would run a second time
        if isinstance(node, ast.Name) and _held(made, node.id) != _held(at, node.id):
            return None
    return source.segment(expression)


def picked_text(source: Source, value: Value, base: Value, text: str, at: Value) -> str | None:
    """What `value` picks of `base`, of `text` instead: with "x" for exp(x), `exp(x).t().diag()` is "x.t().diag()".

    None where it is more than methods that pick, or where their arguments mean something else at `at`.
    """
    if value is base:
        return text
    is_pick = value.op in PICKS and value.operands and value.parts and not value.symbol
    if not is_pick or value.function is not at.function:
        return None
    inner = picked_text(source, value.operands[0], base, text, at)
    receiver = set(walk(value.parts[0]))
    names = {node.id for node in walk(value.node) if isinstance(node, ast.Name) and node not in receiver}
    if inner is None or any(_held(value, name) != _held(at, name) for name in names):
        return None
    return wrapped(inner) + source.segment(value.node)[len(source.segment(value.parts[0])) :]


def _is_cheap(call: ast.Call) -> bool:
    """Whether a call may run twice: it reads a shape, or picks from a tensor."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in PICKS or name in ("sqrt", "size", "len", "dim", "numel", "float", "int")


def _held(value: Value, root: str) -> dict[str, int]:
    """The values a name and what lies below it held."""
    return {
        path: id(held)
        for path, held in value.names.items()
        if path == root or path.startswith((f"{root}.", f"{root}["))
    }


def wrapped(text: str) -> str:
    """An expression's text, fit to be followed by a method call."""
    plain = _MARKED.sub(r"\1", text)
    try:
        node = ast.parse(f"({plain})", mode="eval").body
    except SyntaxError:  # a part that means something in its place alone
        return f"({text})"
    return text if isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) else f"({text})"


def names_between(made: Value, at: Value) -> str:
    """The names that carry `made` to `at`, and may be unused once `at` no longer reads them."""
    return ",".join(sorted(name for name, held in at.names.items() if held is made))


def argument_text(source: Source, call: ast.AST, keyword: str, position: int) -> str | None:
    """The text of a call's argument by keyword, else by position."""
    if not isinstance(call, ast.Call):
        return None
    for candidate in call.keywords:
        if candidate.arg == keyword:
            return source.segment(candidate.value)
    return source.segment(call.args[position]) if position < len(call.args) else None


def in_region(value: Value) -> bool:
    return value.context.state is Autocast.ON


# Where neither autocast acts nor anything is cast to a half, no tensor is one. A region that is switched off in so many
# words is none: most are there to keep a few lines in float32.
IN_REGION = (REGION_ON, *IN_STEPS)
"""Without any of these nothing of a file runs under autocast."""

IN_HALF = (*IN_REGION, *HALF_TENSORS)
"""Without any of these no tensor of a file is half."""


class TensorRule(Rule):
    """A rule about operations on tensors. Those of another file show at the call of this file that leads there."""

    needs = (IN_HALF,)

    @abstractmethod
    def found(self, source: Source) -> Iterator[Finding]:
        """What the operations show, however many calls lead to them."""

    def check(self, source: Source) -> Iterator[Finding]:
        elsewhere: dict[tuple[TracePoint, ...], Finding] = {}
        for finding in self.found(source):
            if not finding.trace:
                yield finding
                continue
            known = elsewhere.setdefault(finding.trace, finding)  # several calls may lead to one line of another file
            if known.severity is Severity.NOTE and finding.severity is not Severity.NOTE:
                elsewhere[finding.trace] = finding
        yield from elsewhere.values()

    def at(
        self, source: Source, value: Value, message: str, *, repair: Callable[[], Repair | str], proven: bool = True
    ) -> Finding:
        """A finding about an operation. repair: asked only where the operation lies in the checked file."""
        if value.site is None:
            span, symbol = source.span(value.node), source.segment(value.node)
            return self.finding(source, span, message, proven=proven, symbol=symbol, repair=repair())
        path, _, line = value.origin.rpartition(":")
        here = Span(Position(int(line), value.node.col_offset + 1), Position(int(line), value.node.col_offset + 1))
        return self.finding(
            source,
            source.span(value.site),
            f"{message} (in {value.origin}, reached from here)",
            proven=proven,
            symbol=ast.unparse(value.node),
            trace=(TracePoint(value.op, path, here),),
            repair=f"the code is in {value.origin}; repair it there",
        )
