"""Tests written in other words: names replaced by what they stand for."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ampfix.lint.scopes import Scope
from ampfix.program.tree import unparsed, walk

_STEPS = 6  # variables that are set to expressions of variables


class Substitute(ast.NodeTransformer):
    """Puts expressions in the place of names and attributes, by how these are written."""

    def __init__(self, replacements: Mapping[str, ast.expr]) -> None:
        self._replacements = replacements

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._replacements.get(node.id, node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        known = self._replacements.get(unparsed(node))
        return known if known is not None else self.generic_visit(node)  # type: ignore[return-value]


def spelled_out(test: ast.expr, scope: Scope) -> str:
    """A test of a function with its variables replaced by what they are set to, where that is one expression."""
    text = unparsed(test)
    for _ in range(_STEPS):
        expression = ast.parse(text, mode="eval").body
        set_to: dict[str, ast.expr] = {}
        for node in walk(expression):
            definitions = scope.names.get(node.id, ()) if isinstance(node, ast.Name) else ()
            value = definitions[0].value if len(definitions) == 1 and definitions[0].item is None else None
            if value is not None and not isinstance(value, (ast.Await, ast.Yield, ast.NamedExpr)):
                set_to[node.id] = value  # type: ignore[attr-defined]
        if not set_to:
            break
        text = unparsed(Substitute(set_to).visit(expression))
    return text


def from_attributes(test: ast.expr, scope: Scope, holder: str, owner: Scope, homes: Mapping[str, ast.expr]) -> ast.expr:
    """A constructor's test with its names replaced by the attributes that keep them. holder: the object, as written.
    homes: the names of its module, as they are to be written elsewhere."""
    kept: dict[str, ast.expr] = {name: home for name, home in homes.items() if name not in scope.names} | {
        unparsed(definition.value): ast.Attribute(ast.parse(holder, mode="eval").body, attribute)
        for attribute, definitions in owner.attributes.items()
        for definition in definitions
        if isinstance(definition.value, (ast.Name, ast.Attribute)) and definition.scope is scope
    }
    own = scope.self_name()
    if own is not None and own != holder:
        kept[own] = ast.parse(holder, mode="eval").body
    found: ast.expr = Substitute(kept).visit(ast.parse(spelled_out(test, scope), mode="eval").body)
    return found
