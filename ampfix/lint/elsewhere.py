"""Finds what lies in other files: functions that a call runs, and where a value is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from ampfix.lint.callees import Callees
from ampfix.lint.calls import CallReader
from ampfix.lint.frames import Frame
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.program import BuiltElsewhere, CalledElsewhere, Form

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def called_elsewhere(call: ast.Call, scope: Scope, resolver: Resolver, reader: CallReader) -> Iterator[CalledElsewhere]:
    """The functions in other files that `call`, made in `scope`, may run."""
    callees, frame = Callees(resolver, reader, reader.namer.fields), Frame(scope)
    for callee in callees.of(call, frame):
        inside = resolver.scope_of(callee.function)
        if resolver.is_own(inside) or inside.file is None or not isinstance(callee.function, _DEFINITIONS):
            continue
        within = callees.frame(callee, call, frame)
        handed = within.arguments
        own = {name: value for name, (value, caller) in handed.items() if caller is frame}
        if callee.function not in inside.file.index.parents:  # indexed, so that rules find their way in it
            continue
        named = partial(reader.namer.canonical, frame=within)
        span = inside.file.spans.span(callee.function)
        yield CalledElsewhere(callee.function, inside.file.path, span, own, named)


def built_elsewhere(node: ast.expr, scope: Scope, resolver: Resolver) -> Iterator[BuiltElsewhere]:
    """The calls in other files that make what `node`, read in `scope`, holds."""
    for binding in resolver.resolve(node, scope):
        there = binding.scope
        if binding.form is not Form.INSTANCE or not isinstance(binding.node, ast.Call) or there is None:
            continue
        if not resolver.is_own(there) and there.file is not None:
            yield BuiltElsewhere(binding.node, binding.symbol, there.file.path, there.file.spans.span(binding.node))
