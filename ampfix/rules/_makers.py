"""Helpers that build a scaler in each call and hand it out: it is as fresh as one that is built on the spot."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import ScalerBuilt, Source
from ampfix.rules import _places as places
from ampfix.rules._shapes import own

_CLASS = "GradScaler"


def made_by_helpers(source: Source) -> Iterator[ScalerBuilt]:
    """The scalers that assignments of a file take from such helpers."""
    for node in source.nodes((ast.Assign,)):
        assert isinstance(node, ast.Assign)
        (target, *more), call = node.targets, node.value
        if more or not isinstance(target, (ast.Name, ast.Attribute)) or not isinstance(call, ast.Call):
            continue
        if "scaler" in f"{places.spelled(target)} {places.called(call)}".lower() and _is_made(call, source):
            yield ScalerBuilt(call, _CLASS, None, places.spelled(target))


def _is_made(call: ast.Call, source: Source) -> bool:
    here = [one.node for one in source.resolve(call.func) if isinstance(one.node, ast.FunctionDef)]
    return any(map(builds, here or [one.definition for one in source.called_elsewhere(call)]))


def builds(function: ast.FunctionDef) -> bool:
    """Whether a function hands out nothing but scalers that it builds then."""
    handed_out = [one.value for one in own(function) if isinstance(one, ast.Return) and one.value is not None]
    made = [one for value in handed_out for one in _choices(value, function) if not isinstance(one, ast.Constant)]
    are_built = all(isinstance(one, ast.Call) and places.called(one).endswith(_CLASS) for one in made)
    are_on = any(isinstance(one, ast.Call) and not places.is_switched_off(one) for one in made)
    return are_built and are_on and not function.decorator_list  # one may keep what the function gave before


def _choices(value: ast.expr, function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What an expression may be: both sides of a choice, and what the function sets a name of its own to."""
    kept_outside = any(isinstance(one, (ast.Global, ast.Nonlocal)) for one in own(function))
    stored = [one.value for one in own(function) if isinstance(one, ast.Assign) and _sets(one, value)]
    for one in stored if stored and not kept_outside else [value]:
        yield from (one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,)


def _sets(node: ast.Assign, value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in map(places.spelled, node.targets)
