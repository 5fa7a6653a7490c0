"""What the text of a function tells about calls of it: defaults, returned expressions, calls of `super`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.scopes import FUNCTIONS
from ampfix.program.tree import children


def is_super(node: ast.expr) -> bool:
    """Whether an expression is a call of the built-in `super`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def default_of(parameter: ast.arg, function: ast.AST) -> ast.expr | None:
    """What a parameter holds where a call does not set it."""
    if not isinstance(function, FUNCTIONS):
        return None
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((default for candidate, default in pairs if candidate is parameter), None)


def returned_values(function: ast.AST) -> Iterator[ast.expr]:
    """What a function's own `return` statements give; a lambda's body."""
    if isinstance(function, ast.Lambda):
        yield function.body
        return
    pending: list[ast.AST] = list(getattr(function, "body", []))
    while pending:
        node = pending.pop()
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        pending.extend(children(node))
