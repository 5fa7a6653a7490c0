"""Closures that something keeps, or is handed, and calls when it likes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.scopes import FUNCTIONS, Scope
from ampfix.program.spelling import last_name
from ampfix.program.tree import walk
from ampfix.rules._shapes import own


def lets_out(function: ast.AST, scope: Scope, method: str) -> bool:
    """Whether what calls a method of a scaler is let out of a function, or of one around it, to be called from where
    nobody sees: a lambda, a nested function that is decorated or handed on, a method that is named and not called."""
    closures = ((node, around.node) for around in scope.chain() if around.is_function for node in own(around.node))
    for node, around in closures:
        if node is not function and isinstance(node, FUNCTIONS) and _calls(node, method) and _is_let_out(node, around):
            return True
    owner = scope.owner_class()
    return owner is not None and any(_is_picked(one, owner.node) for one in _doing(owner.node, function, method))


def _is_let_out(closure: ast.AST, around: ast.AST) -> bool:
    if not isinstance(closure, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return True
    return bool(closure.decorator_list) or _is_named(closure.name, around)


def _doing(owner: ast.AST, function: ast.AST, method: str) -> Iterator[str]:
    """The other methods of a class that do it."""
    for one in getattr(owner, "body", []):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and one is not function and _calls(one, method):
            yield one.name


def _calls(function: ast.AST, method: str) -> bool:
    """Whether a function calls a method as scalers have it."""
    found = (node for node in walk(function) if isinstance(node, ast.Attribute) and node.attr == method)
    return any(method == "unscale_" or "scaler" in last_name(node.value).lower() for node in found)


def _is_picked(name: str, owner: ast.AST) -> bool:
    """Whether a class hands on a method of its own, or calls one whose name is computed: `getattr(self, name)()`."""
    calls = [node for node in walk(owner) if isinstance(node, ast.Call) and last_name(node.func) == "getattr"]
    return _is_named(name, owner) or any(
        last_name(call.args[0]) == "self" and not isinstance(call.args[1], ast.Constant)
        for call in calls
        if len(call.args) > 1
    )


def _is_named(name: str, around: ast.AST) -> bool:
    """Whether a function is named other than to be called."""
    called = {id(node.func) for node in walk(around) if isinstance(node, ast.Call)}
    names = (node for node in walk(around) if isinstance(node, (ast.Name, ast.Attribute)))
    return any(last_name(node) == name and id(node) not in called for node in names)
