"""Tests that count turns, worded by a function of the same file: `if is_due(i, n):`, which returns `i % n == 0`."""

from __future__ import annotations

import ast

from ampfix.lint.frames import Frame
from ampfix.lint.resolve import Resolver
from ampfix.lint.rewriting import Substitute
from ampfix.lint.scopes import Scope, parameters
from ampfix.program import Binding, Form
from ampfix.program.tree import unparsed, walk


class Predicates:
    """Answers for one file. What it makes is kept alive: the resolver knows expressions by their identity."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[tuple[ast.expr, Scope], ast.expr] = {}

    def told(self, test: ast.expr, frame: Frame) -> ast.expr:
        """The test, or what it asks for in the words of the function that it calls."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.told(test.operand, frame)
            return test if inner is test.operand else ast.UnaryOp(test.op, inner)
        if not isinstance(test, (ast.Call, ast.Attribute)):
            return test
        key = (test, frame.scope)
        if key not in self._known:
            self._known[key] = self._worded(test, frame.scope) or test
        return self._known[key]

    def _worded(self, test: ast.Call | ast.Attribute, scope: Scope) -> ast.expr | None:
        asked = test.func if isinstance(test, ast.Call) else test
        found = self._resolver.resolve(asked, scope)
        function = found[0] if len(found) == 1 and found[0].form is Form.FUNCTION else None
        value = _returned(function, is_property=asked is test) if function is not None else None
        if function is None or value is None or function.scope.root() is not scope.root():
            return None
        replacements = _given(function, asked, test)
        names = {node.id for node in walk(value) if isinstance(node, ast.Name)}
        if replacements is None or names & set(function.scope.names) - set(replacements):
            return None
        told: ast.expr = Substitute(replacements).visit(ast.parse(unparsed(value), mode="eval").body)
        return told


def _returned(function: Binding, *, is_property: bool) -> ast.expr | None:
    """The one expression that a function consists of, where that counts turns."""
    node = function.node
    if not isinstance(node, ast.FunctionDef) or [*map(unparsed, node.decorator_list)] != ["property"] * is_property:
        return None
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    counts = value is not None and any(isinstance(one, ast.Mod) for one in ast.walk(value))
    return value if counts else None


def _given(function: Binding, asked: ast.expr, test: ast.expr) -> dict[str, ast.expr] | None:
    """What each parameter stands for; None where that is not seen."""
    names = [one.arg for one in parameters(function.node)]
    found: dict[str, ast.expr] = {}
    own = function.scope.self_name()
    if own is not None and isinstance(asked, ast.Attribute):
        found[own], names = asked.value, names[1:]
    if isinstance(test, ast.Call):
        if any(isinstance(one, ast.Starred) for one in test.args) or any(word.arg is None for word in test.keywords):
            return None
        found |= dict(zip(names, test.args, strict=False))
        found |= {word.arg: word.value for word in test.keywords if word.arg is not None}
    return found
