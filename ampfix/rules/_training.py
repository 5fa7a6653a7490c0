"""Which calls of a file train: they run a backward pass, by themselves or in a function of the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules._shapes import calls, own

_OF_OTHERS = frozenset({"step", "update", "forward", "__init__", "main"})  # as optimizers and modules have them too


def training_calls(root: ast.AST, source: Source) -> Iterator[ast.Call]:
    """The calls running with `root` that run a backward pass, or a function of this name in the file that does."""
    names = _training_functions(source)
    for node in own(root):
        if isinstance(node, ast.Call) and _called(node) in names:
            yield node
    yield from calls(root, "backward")


def trains_inside(root: ast.AST, source: Source) -> bool:
    """Whether a backward pass runs under `root`, or where a function of the file that it calls runs one."""
    names = _training_functions(source) | {"backward"}
    return any(isinstance(node, ast.Call) and _called(node) in names for node in walk(root))


def _training_functions(source: Source) -> frozenset[str]:
    """The functions that run a backward pass, or call one of these."""
    called = dict[str, set[str]]()
    for node in source.nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        names = {_called(call) for call in own(node) if isinstance(call, ast.Call)}
        called.setdefault(getattr(node, "name", ""), set()).update(names)
    found = {name for name, names in called.items() if "backward" in names}
    while more := {name for name, names in called.items() if names & found} - found:
        found |= more
    return frozenset(found - _OF_OTHERS)


def _called(call: ast.Call) -> str:
    """The last name of what is called."""
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")
