"""What a class is derived from, outside what can be seen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ampfix.program import Form

if TYPE_CHECKING:
    from ampfix.lint.resolve import Resolver


def external_bases(node: ast.ClassDef, resolver: Resolver, seen: frozenset[ast.AST] = frozenset()) -> list[str]:
    """Qualified names of the bases that cannot be seen, through those that can. "?" for unknown ones."""
    scope = resolver.scope_of(node)
    names: list[str] = []
    for base in node.bases:
        for binding in resolver.resolve(base, scope.parent or scope):
            if binding.form is Form.SYMBOL:
                names.append(binding.symbol)
            elif binding.form is Form.CLASS and binding.node not in seen:
                names.extend(external_bases(binding.node, resolver, seen | {binding.node}))
            elif binding.form is not Form.CLASS:
                names.append("?")
    return names
