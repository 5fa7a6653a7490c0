"""What the arguments of autocast and GradScaler are, by place and by kind, and how a call lays them out anew."""

from __future__ import annotations

import ast
import json
import re
from enum import Enum

from ampfix.findings import Applicability, Repair, Span
from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules._successors import SUCCESSORS

REGION = ("device_type", "dtype", "enabled", "cache_enabled")
SCALER = ("device", "init_scale", "growth_factor", "backoff_factor", "growth_interval", "enabled")
_YOUNG_REGIONS = ("torch.autocast", "torch.amp.autocast", "torch.amp.autocast_mode.autocast")
_YOUNG_SCALERS = ("torch.GradScaler", "torch.amp.GradScaler", "torch.amp.grad_scaler.GradScaler")


def _parameters(young: tuple[str, ...], order: tuple[str, ...], successor: str) -> dict[str, tuple[str, ...]]:
    old = {name: after.parameters or () for name, after in SUCCESSORS.items() if after.name == successor}
    return dict.fromkeys(young, order) | old


REGION_PARAMETERS = _parameters(_YOUNG_REGIONS, REGION, "amp.autocast")
SCALER_PARAMETERS = _parameters(_YOUNG_SCALERS, SCALER, "amp.GradScaler")
"""Qualified name -> its positional parameters, in order (torch 2.13)."""


class Kind(str, Enum):
    """What an argument is, where the file shows it. GUESS: a flag, by its name; NAMED_DEVICE: a device, by its name."""

    TEXT = "a string"
    FLAG = "a bool"
    NUMBER = "a number"
    DTYPE = "a dtype"
    DEVICE = "a torch.device"
    GUESS = "what looks like a flag"
    NAMED_DEVICE = "what looks like a device"
    UNKNOWN = ""


_DTYPE_NAMES = {
    "float16": "float16",
    "fp16": "float16",
    "half": "float16",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float32": "float32",
    "fp32": "float32",
}
_DTYPES = frozenset(f"torch.{name}" for name in ("float16", "half", "bfloat16", "float32", "float", "float64"))
_FLAG_WORD = pattern(r"(^|_)(amp|fp16|half|enabled?|mixed_precision|autocast)$", re.IGNORECASE)
_DEVICE_WORD = pattern(r"^_*(?!use_|is_|has_|on_|no_)(\w+_)?device(_type|_str|_name)?$", re.IGNORECASE)
_FLAG_SYMBOLS = frozenset({"torch.cuda.is_available", "builtins.bool", "bool"})


def kind_of(node: ast.expr, source: Source) -> Kind:
    """The kind of an argument; UNKNOWN wherever it might be something else."""
    if isinstance(node, ast.Constant):
        return _kind_of_constant(node.value)
    if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return Kind.FLAG
    if isinstance(node, (ast.BinOp, ast.UnaryOp)) and all(
        isinstance(leaf, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)) for leaf in walk(node)
    ):
        return Kind.NUMBER
    if isinstance(node, ast.IfExp):
        kinds = {kind_of(node.body, source), kind_of(node.orelse, source)}
        return kinds.pop() if len(kinds) == 1 else Kind.UNKNOWN
    bindings = source.resolve(node)
    if all(b.form is Form.SYMBOL and b.symbol in _DTYPES for b in bindings):
        return Kind.DTYPE
    if all(b.form is Form.INSTANCE and b.symbol == "torch.device" for b in bindings):
        return Kind.DEVICE
    if all(b.form is Form.INSTANCE and b.symbol in _FLAG_SYMBOLS for b in bindings):
        return Kind.FLAG
    last = last_name(node)
    if _DEVICE_WORD.search(last_name(node.value) if last == "type" and isinstance(node, ast.Attribute) else last):
        return Kind.NAMED_DEVICE
    return Kind.GUESS if _FLAG_WORD.search(last) else Kind.UNKNOWN


def _kind_of_constant(value: object) -> Kind:
    if isinstance(value, bool):
        return Kind.FLAG
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.NUMBER if isinstance(value, (int, float)) else Kind.UNKNOWN


@dataclass(frozen=True)
class Given:
    """One argument of a call: its place among all of them, and the parameter it lands in."""

    place: int
    parameter: str
    value: ast.expr
    kind: Kind


def given(call: ast.Call, order: tuple[str, ...], source: Source) -> list[Given] | None:
    """A call's arguments as its parameters receive them; None where that is not known."""
    if any(isinstance(a, ast.Starred) for a in call.args) or len(call.args) > len(order):
        return None
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    named = [*zip(order, call.args, strict=False), *((k.arg or "", k.value) for k in call.keywords)]
    return [Given(place, name, value, kind_of(value, source)) for place, (name, value) in enumerate(named)]


@dataclass(frozen=True)
class Laid:
    """One argument of the repaired call: an old one (`place`) or a new value (`text`). keyword: empty if positional."""

    place: int | None = None
    keyword: str = ""
    text: str = ""


def lay_out(span: Span, arguments: list[Laid], message: str, applicability: Applicability) -> Repair:
    """A request to write the call (or the bare name) at `span` with these arguments."""
    layout = json.dumps([[a.place, a.keyword, a.text] for a in arguments])
    return Repair("place_arguments", applicability, message, span, {"layout": layout})


def dtype_named(text: str) -> str:
    """The torch dtype a string stands for; empty for others."""
    return _DTYPE_NAMES.get(text.removeprefix("torch."), "")


def orders_of(node: ast.expr, table: dict[str, tuple[str, ...]], source: Source) -> tuple[str, ...] | None:
    """The parameters of the class an expression names; None where it may name another or one of a different order."""
    bindings = source.resolve(node)
    if not all(b.form is Form.SYMBOL and b.symbol in table for b in bindings):
        return None
    orders = {table[b.symbol] for b in bindings}
    return orders.pop() if len(orders) == 1 else None
