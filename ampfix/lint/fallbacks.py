"""What a name stands for only where torch lacks it: `except ImportError: autocast = None`."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ampfix.lint.scopes import Scope

Fallback = tuple["ast.Try", "Scope"]


def drop_fallbacks(tried: Collection[Fallback]) -> None:
    """Forget what handlers define under a name that the statements they belong to import from torch."""
    for node, scope in tried:
        first, last = node.handlers[0].lineno, node.handlers[-1].end_lineno or 0
        kept = _told_by_a_flag(node)
        for name in set(_from_torch(node.body)) - kept:
            definitions = scope.names.get(name, ())
            if len(definitions) > 1:
                scope.names[name] = [one for one in definitions if not first <= one.line <= last]


def _told_by_a_flag(node: ast.Try) -> set[str]:
    """What handlers import from torch beside a flag that says so: code may ask the flag which one it has."""
    statements = [one for handler in node.handlers for one in handler.body]
    is_told = any(isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant) for one in statements)
    return set(_from_torch(statements)) if is_told else set()


def _from_torch(statements: list[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, ast.ImportFrom) and _is_torch(statement.module or "") and not statement.level:
            yield from (alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                if _is_torch(alias.name):
                    yield alias.asname or alias.name.partition(".")[0]


def _is_torch(module: str) -> bool:
    return module == "torch" or module.startswith("torch.")
