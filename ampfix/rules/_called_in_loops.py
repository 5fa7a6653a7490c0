"""Functions that are called again and again with the same optimizer, by their file and those that import it."""

from __future__ import annotations

import ast

from ampfix.program import Role, Source
from ampfix.rules import _callers as callers
from ampfix.rules import _places as places
from ampfix.rules._built_with import builds_optimizer
from ampfix.rules._callers import Caller

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def turns_of(function: _Function, source: Source) -> list[Caller]:
    """The calls of a function in loops, where none of these builds an optimizer; other files are asked last."""
    own = [callers.seen_by(source, call, function) for call in places.calls_of(function, source)]
    looped = [one for one in own or callers.callers(function, source) if _loops(one)]
    return [] if any(builds_optimizer(_loops(one)[-1], one.source) for one in looped) else looped


def leaving_out(name: str, function: _Function, calls: list[Caller]) -> list[Caller]:
    """The calls that hand in an optimizer and leave a parameter at its default, None; none where some hand that in."""
    if not places.is_constant(places.default_of(name, function), None):
        return []
    if not all(one.is_in_full_view and places.is_constant(one.arguments.get(name, _NONE), None) for one in calls):
        return []
    return [one for one in calls if any(_is_optimizer(value, one.source) for value in one.arguments.values())]


_NONE = ast.Constant(None)


def _is_optimizer(value: ast.expr, source: Source) -> bool:
    return source.held(value).role is Role.OPTIMIZER


def _loops(one: Caller) -> list[ast.AST]:
    return places.loops_around(one.call, one.source)
