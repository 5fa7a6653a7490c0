"""What lies in other files: the functions that a call runs, and where a value is built."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from ampfix.findings import Span
from ampfix.records import dataclass


@dataclass(frozen=True)
class CalledElsewhere:
    """A function of another file that a call runs. Nothing in it can be pointed at or edited.

    definition: its `ast.FunctionDef`. path and span: where it stands. arguments: by its parameters, what the call
    hands it, as expressions of the calling file. named: how the calling file writes what a name or an attribute in the
    function stands for; None where it has no name. fields: by the attributes of the object whose method it is, what it
    was built from, as the calling function knows that. calls: the functions of other files that a call in it runs.
    built: the call that makes the object, where it is seen.
    """

    definition: Any
    path: str
    span: Span
    arguments: Mapping[str, Any]
    named: Callable[[ast.expr], str | None]
    fields: Mapping[str, Any]
    calls: Callable[[ast.Call], tuple[CalledElsewhere, ...]]
    built: ast.Call | None = None


@dataclass(frozen=True)
class BuiltElsewhere:
    """A call in another file that makes a value. node: the `ast.Call`; symbol: what it constructs."""

    node: Any
    symbol: str
    path: str
    span: Span
