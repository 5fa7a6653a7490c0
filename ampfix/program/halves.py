"""Tensors as analysis sees them: the operation that made each, its dtype, and the autocast state around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from ampfix.records import dataclass, field


class Dtype(str, Enum):
    """What is known of an element type. HALF: float16 or bfloat16, which of them the file does not say."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    HALF = "half precision"
    FLOAT32 = "float32"
    NUMBER = "a Python number"
    UNKNOWN = "unknown"

    @property
    def is_half(self) -> bool:
        return self in (Dtype.FLOAT16, Dtype.BFLOAT16, Dtype.HALF)

    @property
    def may_be_float16(self) -> bool:
        return self in (Dtype.FLOAT16, Dtype.HALF)


class Autocast(str, Enum):
    """Whether autocast acts where an operation runs."""

    ON = "on"
    OFF = "off"  # outside every region of a function that opens one
    ISLAND = "island"  # inside autocast(enabled=False)
    UNKNOWN = "unknown"  # the caller decides


@dataclass(frozen=True)
class Context:
    """The autocast state around an operation. region: the expression that opened it. entered: what holds the code of
    the region or island: the `with` statement or the decorated function. sure: neither its device nor its dtype is
    guessed. optional: a parameter that is False by default switches it on."""

    state: Autocast = Autocast.UNKNOWN
    dtype: Dtype = Dtype.UNKNOWN
    device: str = "cuda"
    region: ast.expr | None = None
    entered: Any = None
    sure: bool = True
    optional: bool = False


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Value:
    """What an expression holds, and how it came about.

    op: the canonical name of what made it: torch's function name ("exp", "matmul", "sum"), "number", "input" (a
    parameter or something unknown), "network" (a call of something named like one), "join" (one of its operands).
    node: the expression. operands: the tensor arguments, receiver first; parts: their expressions, where they stand in
    `node`. in_place: it overwrites its first operand, or one given as out=. sure: the dtype is no guess.
    scalar: it has no dimensions, so that it does not promote what it meets. names: what each name held when this was
    computed. function: the function whose body holds `node`, None for the module.
    symbol: torch's own name of the function or layer. site: for code of another file, the call of the checked file
    that leads there, and origin its "path:line".
    """

    op: str
    dtype: Dtype
    node: Any
    operands: tuple[Value, ...] = ()
    parts: tuple[ast.expr, ...] = ()
    keywords: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)
    number: float | None = None
    in_place: bool = False
    sure: bool = True
    scalar: bool = False
    context: Context = Context()
    names: Mapping[str, Value] = field(default_factory=lambda: _NOTHING, repr=False)
    function: Any = field(default=None, repr=False)
    symbol: str = ""
    site: ast.expr | None = None
    origin: str = ""

    @property
    def is_half(self) -> bool:
        return self.dtype.is_half

    def alternatives(self) -> Iterator[Value]:
        """The values this may be, joins taken apart."""
        if self.op != "join":
            yield self
            return
        for operand in self.operands:
            yield from operand.alternatives()

    def argument(self, keyword: str, position: int) -> Value | None:
        """An argument by keyword, else by position (the receiver of a method is position 0)."""
        found = self.keywords.get(keyword)
        return found if found is not None or position >= len(self.operands) else self.operands[position]


@dataclass(frozen=True)
class Meeting:
    """A half tensor meets a number: `tensor sign number`, in a float16 region."""

    value: Value
    sign: str
    number: float
    tensor: Value


_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def meetings(value: Value) -> Iterator[Meeting]:
    """The numbers of known size that meet half tensors in one operation."""
    sign = _SIGNS.get(value.op)
    if sign is None or len(value.operands) < 2:
        return
    left, right = value.operands[:2]
    for tensor, other in ((left, right), (right, left)):
        divides = sign == "/" and tensor is right
        if tensor.is_half and other.number is not None and not divides:
            yield Meeting(value, sign, other.number, tensor)
