"""What functions of a file are called with."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules._shapes import path


def parameters(function: ast.AST) -> set[str]:
    """The names of a function's parameters."""
    arguments = getattr(function, "args", None)
    return {node.arg for node in walk(arguments) if isinstance(node, ast.arg)} if arguments is not None else set()


def called_together(first: ast.AST, second: ast.AST, name: str, source: Source) -> bool | None:
    """Whether the two functions are handed the same thing under this parameter; None where this file calls neither."""
    given = [set(handed(function, name, source)) for function in (first, second)]
    return None if not given[0] and not given[1] else bool(given[0] & given[1])


def handed(function: ast.AST, name: str, source: Source) -> Iterator[str]:
    """What calls in this file pass for a parameter, as written."""
    arguments = getattr(function, "args", None)
    positions = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)] if arguments else []
    for call in source.nodes((ast.Call,)):
        if not isinstance(call, ast.Call) or path(call.func).rpartition(".")[2] != getattr(function, "name", ""):
            continue
        place = positions.index(name) if name in positions else len(call.args)
        yield from (path(keyword.value) for keyword in call.keywords if keyword.arg == name)
        if place < len(call.args):
            yield path(call.args[place])
