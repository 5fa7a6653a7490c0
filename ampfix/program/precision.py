"""Where a program chooses a precision: autocast regions with what they cover, and casts to half."""

from __future__ import annotations

import ast
from typing import Any

from ampfix.records import dataclass


@dataclass(frozen=True)
class CoveredRegion:
    """A `with` statement or decorated function that runs under autocast.

    node: what it covers. opening: the expression that opens it; call: the autocast call behind it, None where the bare
    class decorates. device: "cuda", "cpu", ...; empty where the text does not fix it. dtype: "float16" or "bfloat16";
    None where it is not known; dtypes: all that it may be, "unknown" among them where that is not seen. enabled: None
    where a flag decides.
    """

    node: Any
    opening: ast.expr
    call: ast.Call | None
    device: str
    dtype: str | None
    enabled: bool | None
    dtypes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class HalfCast:
    """`operand.half()` and every other spelling of it. node: the call. dtype: "float16" or "bfloat16"."""

    node: ast.Call
    operand: ast.expr
    dtype: str
