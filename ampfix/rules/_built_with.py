"""Optimizers that begin their life beside a scaler, or in what one is handed to: `run(model, loader, scaler)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from ampfix.patterns import pattern
from ampfix.program import Form, Role, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._shapes import handed_in

_OPTIMIZER = pattern(r"(^|_)opt(im\w*)?(_|$)", re.IGNORECASE)


def optimizer_built_with(scaler: str, root: ast.AST, source: Source) -> bool:
    """Whether a function or a class that is handed the scaler under `root` builds an optimizer, and is handed none."""
    name = scaler.rpartition(".")[2]
    for call in (node for node in walk(root) if isinstance(node, ast.Call)):
        given = [places.spelled(one).rpartition(".")[2] for one in handed_in(call)]
        is_alone = name in given and not any(map(_OPTIMIZER.search, given))
        if is_alone and any(_builds_one(definition) for definition in _run_by(call, source)):
            return True
    return False


def _run_by(call: ast.Call, source: Source) -> Iterator[ast.AST]:
    held = source.resolve(call.func)
    yield from (one.node for one in held if one.form in (Form.FUNCTION, Form.CLASS) and one.node is not None)
    yield from (to.definition for to in source.called_elsewhere(call))


def _builds_one(definition: ast.AST) -> bool:
    made = (one for one in walk(definition) if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call))
    targets = (places.spelled(target).rpartition(".")[2] for one in made for target in one.targets)
    return any(map(_OPTIMIZER.search, targets))


def builds_optimizer(root: ast.AST, source: Source, which: Set[str] = frozenset()) -> bool:
    """Whether an optimizer begins its life in this code too: one of these, or any where none is named."""
    for node in walk(root):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Call, ast.ListComp)):
            targets = [one for target in node.targets for one in getattr(target, "elts", [target])]
            if which and not any(places.spelled(target) in which for target in targets):
                continue
            if any(source.held(target).role is Role.OPTIMIZER for target in targets):
                return True
    return False
