"""Which functions of a module reach an event, so that only those are lowered and inlined."""

from __future__ import annotations

import ast

from ampfix.lint.scopes import ScopeBuilder
from ampfix.lint.symbols import CLIPS

_WORDS = frozenset(
    {"backward", "unscale_", "step", "update", "zero_grad", "scale", "autocast", "custom_fwd", "grad"}
) | {symbol.rpartition(".")[2] for symbol in CLIPS}


def interesting_functions(scopes: ScopeBuilder) -> set[ast.AST]:
    """Functions (and the module) whose own code uses an AMP word or calls, by name, one that does."""
    words = {node: _words(node) for node in scopes.scope_of}
    aliases = {alias for alias, original in _imports(scopes.root.node) if original in _WORDS}
    marks = _WORDS | aliases
    found = {node for node, used in words.items() if used & marks}
    while True:
        names = {getattr(node, "name", None) for node in found} - {None}
        if any(isinstance(node, ast.Lambda) for node in found):
            return set(words)  # a lambda is called by whatever name it was stored under
        more = {node for node, used in words.items() if node not in found and used & names}
        if not more:
            return found
        found |= more


def _words(root: ast.AST) -> set[str]:
    """Names and attributes in a scope's own code; a nested class or function counts as a use of its name."""
    used: set[str] = set()
    pending = list(ast.iter_child_nodes(root))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.add(node.attr)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(getattr(node, "decorator_list", []))
            continue
        pending.extend(ast.iter_child_nodes(node))
    return used


def _imports(tree: ast.AST) -> list[tuple[str, str]]:
    return [
        (alias.asname or alias.name, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
