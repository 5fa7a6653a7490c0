"""AMP405."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Source, Value
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import FLOAT16_MAX, TensorRule, proven_float16

# op -> (position, keyword) of the number it writes
_REFUSED = {
    "masked_fill": (2, "value"),
    "index_fill": (3, "value"),
    "fill": (1, "value"),
    "full_like": (1, "fill_value"),
    "new_full": (2, "fill_value"),
}
_ROUNDED = {"where": (2, "other"), "setitem": (1, "value")}
_WRITES = r"re:where\(|fill|full|\]\s*=(?!=)"
_LARGE = r"re:\d\.?e\+?\d|\d[\d_]{4}|\*\s*\(?[-\d]|finfo"  # how a number beyond 65504 is written


class Fp16MaskFill(TensorRule):
    """A float16 tensor is filled with a number that float16 cannot hold, as with a mask of -1e9.

    ## What it does
    Finds numbers beyond 65504 that are written into float16 tensors by `masked_fill`, `index_fill`, `fill_`,
    `full_like` or `new_full`, and, as a note, by `torch.where` or an assignment to a part.

    ## Why is this bad
    torch refuses: "value cannot be converted to type c10::Half without overflow". `where` and `x[mask] = -1e9` do not
    raise; they write -inf, and a row in which everything is masked becomes NaN in the softmax. In float32, where the
    code was written, -1e9 did neither.

    ## Example
    ```python
    scores = scores.masked_fill(mask == 0, -1e9)
    ```

    ## Use instead
    ```python
    scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
    ```

    ## Fix safety
    Safe: the softmax of either is 0. The lowest number of the tensor's own dtype is right in float32 too.

    ## References
    - https://pytorch.org/docs/stable/type_info.html#torch.torch.finfo
    """

    code, name, severity = "AMP405", "fp16-mask-fill", Severity.ERROR
    fix = Applicability.SAFE
    scenarios = ("mask-fill-beyond-half",)
    mentions = (*AMP_WORDS, (".half(", _WRITES, _LARGE))

    VALID = (
        """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader):
    for x, mask in loader:
        with torch.autocast("cuda"):
            scores = layer(x)
            a = scores.masked_fill(mask, float("-inf"))
            b = scores.masked_fill(mask, -65504.0) + scores.masked_fill(mask, torch.finfo(scores.dtype).min)
            c = scores.float().masked_fill(mask, -1e9)
            d = scores.softmax(-1).masked_fill(mask, -1e9)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            e = layer(x).masked_fill(mask, -1e9)
""",
    )
    INVALID = (
        Invalid(
            """\
import math
import torch
import torch.nn.functional as F

class Attention(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.q, self.k = torch.nn.Linear(size, size), torch.nn.Linear(size, size)

    def forward(self, x, mask=None):
        q, k = self.q(x), self.k(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        return F.softmax(scores, dim=-1)

def train(loader):
    attention = Attention(8).cuda()
    for x, mask in loader:
        with torch.cuda.amp.autocast():
            loss = attention(x, mask).sum()
            weights = attention.q(x)
            weights[mask] = -1e9
            weights = torch.where(mask, weights, torch.finfo(torch.float32).min)
            (weights * 2.0).masked_fill_(mask, 1e6)
""",
            """\
import math
import torch
import torch.nn.functional as F

class Attention(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.q, self.k = torch.nn.Linear(size, size), torch.nn.Linear(size, size)

    def forward(self, x, mask=None):
        q, k = self.q(x), self.k(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        if mask is not None:
            scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
        return F.softmax(scores, dim=-1)

def train(loader):
    attention = Attention(8).cuda()
    for x, mask in loader:
        with torch.cuda.amp.autocast():
            loss = attention(x, mask).sum()
            weights = attention.q(x)
            weights[mask] = torch.finfo(weights.dtype).min
            weights = torch.where(mask, weights, torch.finfo(weights.dtype).min)
            (weights * 2.0).masked_fill_(mask, torch.finfo(torch.float16).max)
""",
            (14, 23, 24, 25),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        for value in source.tensor_operations:
            written = _written(value)
            if written is None or not value.dtype.may_be_float16:
                continue
            number, raises = written
            outcome = "which raises" if raises else "which writes an infinity: NaN where a whole row is masked"
            yield self.at(
                source,
                value,
                f"{value.op} writes {number:g} into a {value.dtype.value} tensor, {outcome}; float16 ends at 65504",
                proven=raises and proven_float16(value),
                repair=partial(_repair, value, number, source),
            )


def _written(value: Value) -> tuple[float, bool] | None:
    """The number beyond float16 that an operation writes, and whether torch refuses it."""
    position, keyword = _REFUSED.get(value.op) or _ROUNDED.get(value.op) or (-1, "")
    if position < 0:
        return None
    written = value.argument(keyword, position)
    number = written.number if written is not None else None
    if number is None or not FLOAT16_MAX < abs(number) < float("inf"):
        return None
    return number, value.op in _REFUSED


def _repair(value: Value, number: float, source: Source) -> Repair | str:
    node = _number_node(value, source)
    if node is None:
        return "the number is not written in this call; use torch.finfo(tensor.dtype).min"
    tensor = value.parts[1 if value.op == "where" else 0]
    is_named = isinstance(tensor, (ast.Name, ast.Attribute))
    dtype = f"{source.segment(tensor)}.dtype" if is_named else "<torch.float16>"
    return Repair(
        "rewrite_expression",
        Applicability.SAFE,
        f"Write the {'lowest' if number < 0 else 'highest'} number that the tensor holds",
        source.span(node),
        {"source": f"<torch.finfo>({dtype}).{'min' if number < 0 else 'max'}"},
    )


def _number_node(value: Value, source: Source) -> ast.AST | None:
    """The expression of the number, where it is a literal or a limit of its own."""
    if value.op == "setitem":
        holder = next(iter(source.ancestors(value.node)), None)
        is_plain = isinstance(holder, ast.Assign) and len(holder.targets) == 1
        return holder.value if isinstance(holder, ast.Assign) and is_plain else None
    position, keyword = _REFUSED.get(value.op) or _ROUNDED[value.op]
    held = value.argument(keyword, position)
    arguments: list[ast.AST] = [*value.node.args, *(item.value for item in value.node.keywords)]
    return next((node for node in arguments if held is not None and held.node is node), None)
