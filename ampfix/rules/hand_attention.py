"""AMP412."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Dtype, Source, Value
from ampfix.records import dataclass
from ampfix.rules._base import AMP_WORDS, Invalid
from ampfix.rules._halves import TensorRule, in_region, names_between, text_at, wrapped

_PRODUCTS = ("matmul", "bmm", "einsum")
_TURNS = ("transpose", "permute")
_TEMPERATURE = pattern(r"(^|[_.])(temperature|temp|tau)(_|$)", re.IGNORECASE)


class HandAttention(TensorRule):
    """Attention is written by hand, so that its unscaled scores pass through float16.

    ## What it does
    Finds `softmax(q @ k.T / sqrt(d)) @ v` in float16, written in one expression or through names, with matrix products
    or einsum, where the scores are scaled behind the product or not at all. Attention with masks or dropout is left
    alone: AMP405 knows masks beyond float16.

    ## Why is this bad
    The product of queries and keys is half and up to sqrt(d) times larger than what the softmax sees: where it passes
    65504 it is inf before the division, and the softmax of a row with inf is NaN. `scaled_dot_product_attention`
    scales inside its kernel, keeps the scores in float32, needs no N x N tensor and takes boolean masks.

    ## Example
    ```python
    scores = q @ k.transpose(-2, -1) / math.sqrt(d)
    out = torch.softmax(scores, dim=-1) @ v
    ```

    ## Use instead
    ```python
    out = F.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(d))
    ```

    Where the weights themselves are needed, scale first: `(q / math.sqrt(d)) @ k.transpose(-2, -1)`.

    ## Fix safety
    Unsafe: another kernel, whose results differ in the last digits. Where the attention weights serve
    something else too, they are computed as before.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """

    code, name, severity = "AMP412", "hand-attention", Severity.NOTE
    fix = Applicability.UNSAFE
    scenarios = ("attention-scores-in-half",)
    mentions = AMP_WORDS

    VALID = (
        """\
import math
import torch
import torch.nn.functional as F

layer = torch.nn.Linear(8, 8).cuda()

def attend(q, k, v):
    scaled_first = (q / math.sqrt(8)) @ k.transpose(-2, -1)
    return torch.softmax(scaled_first, dim=-1) @ v

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            q, k, v = layer(x), layer(x), layer(x)
            out = attend(q, k, v) + F.scaled_dot_product_attention(q, k, v)
            mixed = torch.softmax(layer(x), dim=-1) @ v
            masked = ((q @ k.mT) * 8**-0.5).masked_fill(y, float("-inf")).softmax(-1) @ v
        with torch.autocast("cuda", dtype=torch.bfloat16):
            q, k, v = layer(x), layer(x), layer(x)
            out = torch.softmax(q @ k.transpose(-2, -1) / 8.0, dim=-1) @ v
        out = torch.softmax(x @ x.transpose(-2, -1) / 8.0, dim=-1) @ x
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
        self.q, self.k, self.v = (torch.nn.Linear(size, size) for _ in range(3))
        self.query, self.key = torch.nn.Linear(size, size), torch.nn.Linear(size, size)

    def forward(self, x):
        q, k = self.query(x), self.key(x)
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        weights = F.softmax(scores, dim=-1)
        return torch.matmul(weights, x)

def train(loader):
    attention = Attention(8).cuda()
    for x in loader:
        with torch.autocast("cuda"):
            loss = attention(x).sum()
""",
            """\
import math
import torch
import torch.nn.functional as F

class Attention(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.q, self.k, self.v = (torch.nn.Linear(size, size) for _ in range(3))
        self.query, self.key = torch.nn.Linear(size, size), torch.nn.Linear(size, size)

    def forward(self, x):
        q, k = self.query(x), self.key(x)
        return F.scaled_dot_product_attention(q, k, x, scale=1 / math.sqrt(q.size(-1)))

def train(loader):
    attention = Attention(8).cuda()
    for x in loader:
        with torch.autocast("cuda"):
            loss = attention(x).sum()
""",
            (15,),
        ),
        Invalid(
            """\
import torch

class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query = torch.nn.Conv1d(8, 8, 1)
        self.value = torch.nn.Conv1d(8, 8, 1)

    def forward(self, x):
        q, v = self.query(x), self.value(x)
        weights = torch.bmm(q.transpose(1, 2), q) / 8**0.5
        return torch.bmm(v, torch.softmax(weights, dim=-1).transpose(1, 2))

def train(loader):
    attention = Attention().cuda()
    for x in loader:
        with torch.autocast("cuda"):
            loss = attention(x).sum()
""",
            None,
            (12,),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        for value in source.tensor_operations:
            found = _attention(value)
            if found is not None and found.is_plain:
                message = (
                    "attention by hand: the scores are float16 before they are scaled, and inf where a query and a key "
                    "multiply to more than 65504; scaled_dot_product_attention scales inside"
                )
                yield self.at(source, value, message, proven=found.product.sure, repair=partial(_repair, found, source))


@dataclass(frozen=True)
class _Attention:
    """out = softmax(scale(product)) @ v. scaling: the division or multiplication; plain: nothing else in between."""

    out: Value
    softmax: Value
    scaling: Value | None
    product: Value
    is_plain: bool


def _attention(out: Value) -> _Attention | None:
    if out.op not in _PRODUCTS or len(_factors(out)) != 2 or not in_region(out):
        return None
    scaling, (weights, is_plain) = None, _weights(out)
    if weights.op != "softmax" or not weights.operands:
        return None
    scores = weights.operands[0]
    while scores.op not in _PRODUCTS and scores.operands:
        if scores.op in ("div", "mul") and scaling is None:
            scaling = scores
        else:
            is_plain = False
        scores = next(scores.alternatives()) if scores.op == "join" else scores.operands[0]
    if len(_factors(scores)) != 2 or not scores.dtype.may_be_float16 or _is_scaled(scores):
        return None
    if scaling is not None and _is_lookup(scores, scaling):
        return None
    return _Attention(out, weights, scaling, scores, is_plain)


def _weights(out: Value) -> tuple[Value, bool]:
    """The factor that holds the weights, and whether nothing was done to them; `v @ weights.transpose(1, 2)` has them
    behind the values, and so has `v @ weights.permute(0, 2, 1)`."""
    first, second = _factors(out)
    weights, is_plain = _undropped(first)
    if weights.op == "softmax":
        return weights, is_plain
    if second.op in _TURNS and second.operands:
        second = second.operands[0]
    elif out.op != "einsum":
        return weights, is_plain
    return _undropped(second)


def _factors(product: Value) -> tuple[Value, ...]:
    """What is multiplied; einsum is told first which dimensions."""
    if product.op not in _PRODUCTS:
        return ()
    return product.operands[1:] if product.op == "einsum" else product.operands[:2]


def _undropped(weights: Value) -> tuple[Value, bool]:
    is_plain = True
    while weights.op in ("dropout", "cast", "join") and weights.operands:
        weights, is_plain = weights.operands[0], False
    return weights, is_plain


def _is_scaled(product: Value) -> bool:
    """Whether the queries or keys were scaled before they were multiplied."""
    for operand in _factors(product):
        while operand.op in ("transpose", "view", "permute", "reshape", "contiguous") and operand.operands:
            operand = operand.operands[0]
        if operand.op in ("mul", "div", "normalize", "layer_norm"):
            return True
    return False


def _is_lookup(product: Value, scaling: Value) -> bool:
    """Whether vectors of an unseen model are compared with a bank of them: such are of length 1 as a rule, for what
    divides their products is a temperature and no root of their size."""
    queries, keys = _factors(product)
    is_bank = keys.op == "t" or (isinstance(keys.node, ast.Attribute) and keys.node.attr == "T")
    factor = ast.unparse(scaling.parts[1]) if len(scaling.parts) > 1 else ""
    return is_bank and queries.op != "linear" and _TEMPERATURE.search(factor) is not None


def _repair(found: _Attention, source: Source) -> Repair | str:
    if "einsum" in (found.out.op, found.product.op):
        return "the layout of the heads is written into einsum; transpose queries, keys and values for attention"
    if found.softmax is not found.out.operands[0]:
        return "the values come first in the product, and their layout is not known here"
    texts = [text_at(source, found.product, found.out, 0), text_at(source, found.product, found.out, 1)]
    value = text_at(source, found.out, found.out, 1)
    scale = _scale(found, source)
    if None in texts or value is None or scale is None:
        return "queries, keys or their scale are computed elsewhere, or their names have changed since"
    queries, keys = str(texts[0]), _untransposed(found.product.parts[1], source)
    carried = [made for made in (found.softmax, found.scaling, found.product) if made is not None]
    return Repair(
        "rewrite_expression",
        Applicability.UNSAFE,
        "Let scaled_dot_product_attention do it",
        source.span(found.out.node),
        {
            "source": f"<torch.nn.functional.scaled_dot_product_attention>({queries}, {keys}, {value}, scale={scale})",
            "unused": ",".join(filter(None, (names_between(made, found.out) for made in carried))),
        },
    )


def _scale(found: _Attention, source: Source) -> str | None:
    """The factor of the scores, as written."""
    scaling = found.scaling
    if scaling is None:
        return "1.0"
    factor = scaling.operands[1] if len(scaling.operands) > 1 else None
    text = text_at(source, scaling, found.out, 1)
    if factor is None or text is None or factor.dtype is not Dtype.NUMBER or scaling.in_place:
        return None
    return f"1 / {wrapped(text)}" if scaling.op == "div" else text


def _untransposed(keys: ast.expr, source: Source) -> str:
    """The keys without the transposition that the product needed."""
    text = wrapped(source.segment(keys))
    is_call = isinstance(keys, ast.Call) and isinstance(keys.func, ast.Attribute) and keys.func.attr == "transpose"
    if isinstance(keys, ast.Attribute) and keys.attr in ("mT", "T"):
        return source.segment(keys.value)
    if is_call and isinstance(keys, ast.Call) and isinstance(keys.func, ast.Attribute):
        dims = sorted(ast.unparse(argument) for argument in keys.args)
        if dims == ["-1", "-2"]:
            return source.segment(keys.func.value)
    return f"{text}.transpose(-2, -1)"
