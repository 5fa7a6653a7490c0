"""Finds the functions of other files that a call runs, for rules that look at both sides."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.callees import Callees
from ampfix.lint.calls import CallReader
from ampfix.lint.frames import Frame
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.program import CalledElsewhere

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def called_elsewhere(call: ast.Call, scope: Scope, resolver: Resolver, reader: CallReader) -> Iterator[CalledElsewhere]:
    """The functions in other files that `call`, made in `scope`, may run."""
    callees, frame = Callees(resolver, reader, reader.namer.fields), Frame(scope)
    for callee in callees.of(call, frame):
        inside = resolver.scope_of(callee.function)
        if resolver.is_own(inside) or inside.file is None or not isinstance(callee.function, _DEFINITIONS):
            continue
        handed = callees.frame(callee, call, frame).arguments
        own = {name: value for name, (value, caller) in handed.items() if caller is frame}
        yield CalledElsewhere(callee.function, inside.file.path, inside.file.spans.span(callee.function), own)
