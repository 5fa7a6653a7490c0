"""Switches that source text fixes: True and False, names that hold nothing else, and what a helper hands back."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Definition, Scope
from ampfix.program import Form

if TYPE_CHECKING:
    from ampfix.lint.frames import Frame

_MAX_DEPTH = 6


def truth(node: ast.expr, scope: Scope, resolver: Resolver, depth: int = 0) -> bool | None:
    """What a switch is on every path; None where it may be either, or is not seen."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, bool) else None
    found: set[bool | None] = set()
    if isinstance(node, ast.Name):
        found = {_of(definition, resolver, depth + 1) for definition in scope.lookup(node.id)}
    elif isinstance(node, ast.Call):
        found = _returned(node, None, scope, resolver, depth + 1)
    return found.pop() if len(found) == 1 else None


def _of(definition: Definition, resolver: Resolver, depth: int) -> bool | None:
    value, scope = definition.value, definition.scope
    if value is None or scope is None:
        return None
    if definition.item is None:
        return truth(value, scope, resolver, depth)
    found = _returned(value, definition.item, scope, resolver, depth) if isinstance(value, ast.Call) else {None}
    return found.pop() if len(found) == 1 else None


def _returned(call: ast.Call, item: int | None, scope: Scope, resolver: Resolver, depth: int) -> set[bool | None]:
    """What a call may hand back, or the element `item` of it."""
    found: set[bool | None] = set()
    for function in resolver.resolve(call.func, scope):
        if function.form is not Form.FUNCTION:
            return {None}
        for value in resolver.returned(function.node):
            if item is None:
                found.add(truth(value, function.scope, resolver, depth))
            elif isinstance(value, ast.Tuple) and item < len(value.elts):
                found.add(truth(value.elts[item], function.scope, resolver, depth))
            else:
                found.add(None)
    return found


def is_made(node: ast.expr, frame: Frame, resolver: Resolver) -> bool:
    """Whether what a name holds, where a caller handed it in too, is an object that was made, and so never None."""
    passed = frame.passed(node)
    if passed is not None:
        return is_made(*passed, resolver)
    return all(one.form in (Form.OBJECT, Form.INSTANCE) for one in resolver.resolve(node, frame.scope))
