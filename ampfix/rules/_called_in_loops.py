"""Functions that are called again and again with the same optimizer, by their file and those that import it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from ampfix.program import Role, Source
from ampfix.program.spelling import is_super
from ampfix.program.tree import walk
from ampfix.rules import _callers as callers
from ampfix.rules import _places as places
from ampfix.rules._built_with import builds_optimizer
from ampfix.rules._callers import Caller
from ampfix.rules._shapes import handed_in

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def turns_of(function: _Function, stepped: Set[str], source: Source) -> list[Caller]:
    """The calls of a function in loops that keep the optimizers it steps, as it writes them; none where another loop
    makes them. Other files are asked last."""
    own = [callers.seen_by(source, call, function) for call in places.calls_of(function, source)]
    looped = [one for one in own or callers.callers(function, source) if _loops(one)]
    return looped if all(_keeps(_loops(one)[-1 if own else 0], stepped, one) for one in looped) else []


def _keeps(loop: ast.AST, stepped: Set[str], one: Caller) -> bool:
    """Whether what a call hands in for the optimizers was there before the loop."""
    if builds_optimizer(loop, one.source):
        return False
    carriers = [_carrier(path, one) for path in stepped]
    if carriers and None not in carriers:
        assigned = places.assigned_in(loop)
        return not any(_is_made(*carrier, assigned, loop, one.source) for carrier in carriers if carrier is not None)
    values = [*one.arguments.values(), *_receivers(one)]
    return not any(_is_made(value, "", _set_in(loop), loop, one.source) for value in values)


def _carrier(path: str, one: Caller) -> tuple[ast.expr, str] | None:
    """What a call hands in for a path of the function that it calls, and what is read from that there."""
    root, _, rest = path.partition(".")
    if root == "self":
        return next(((receiver, rest) for receiver in _receivers(one)), None)
    return (one.arguments[root], rest) if root in one.arguments else None


def _receivers(one: Caller) -> Iterator[ast.expr]:
    """The object whose method is called: of `super()`, itself."""
    if isinstance(one.call.func, ast.Attribute):
        receiver = one.call.func.value
        yield ast.Name("self", ast.Load()) if is_super(receiver) else receiver


def _is_made(value: ast.expr, rest: str, assigned: Set[str], loop: ast.AST, source: Source) -> bool:
    """Whether a loop makes what an expression stands for, and not of an optimizer that it keeps."""
    read = {*places.names_in(value), f"{places.spelled(value)}.{rest}"}
    made = [value] if isinstance(value, ast.Call) else list(_calls_for(value, loop))
    if made:
        given = (one for call in made for one in handed_in(call) if _is_optimizer(one, source))
        return not any(places.names_in(one).isdisjoint(assigned) for one in given)
    return not read.isdisjoint(assigned) or any(isinstance(inner, ast.Call) for inner in walk(value))


def _calls_for(value: ast.expr, loop: ast.AST) -> Iterator[ast.Call]:
    """The calls that statements inside a loop set a name to."""
    name = places.spelled(value)
    for node in walk(loop):
        if isinstance(node, ast.Assign) and name in map(places.spelled, node.targets):
            yield from [node.value] if isinstance(node.value, ast.Call) else ()


def _set_in(loop: ast.AST) -> set[str]:
    """What statements inside a loop set, its own target left out."""
    made = (node for node in walk(loop) if isinstance(node, ast.Assign))
    return {name for node in made for name in places.assigned_in(node)}


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
