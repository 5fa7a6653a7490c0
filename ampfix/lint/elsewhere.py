"""Finds what lies in other files: functions that a call runs, and where a value is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from ampfix.lint.callees import Callees
from ampfix.lint.calls import CallReader
from ampfix.lint.fields import Fields
from ampfix.lint.frames import Frame
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope, parameters
from ampfix.program import BuiltElsewhere, CalledElsewhere, Form
from ampfix.rules._shapes import placed

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def called_elsewhere(call: ast.Call, scope: Scope, resolver: Resolver, reader: CallReader) -> Iterator[CalledElsewhere]:
    """The functions in other files that `call`, made in `scope`, may run."""
    for callee, inside in _callees(call, Frame(scope), resolver, reader):
        if not resolver.is_own(inside):
            yield callee


def called_in(call: ast.Call, scope: Scope, resolver: Resolver, reader: CallReader) -> Iterator[CalledElsewhere]:
    """The functions of any file that `call`, made in the `scope` of another, may run."""
    return (callee for callee, _ in _callees(call, Frame(scope), resolver, reader))


def _called_within(call: ast.Call, frame: Frame, resolver: Resolver, reader: CallReader) -> tuple[CalledElsewhere, ...]:
    return tuple(callee for callee, inside in _callees(call, frame, resolver, reader) if not resolver.is_own(inside))


def _callees(
    call: ast.Call, frame: Frame, resolver: Resolver, reader: CallReader
) -> Iterator[tuple[CalledElsewhere, Scope]]:
    callees = Callees(resolver, reader, reader.namer.fields)
    for callee in callees.of(call, frame):
        inside = resolver.scope_of(callee.function)
        if inside.file is None or not isinstance(callee.function, _DEFINITIONS):
            continue
        if callee.function not in inside.file.index.parents:  # indexed, so that rules find their way in it
            continue
        within = callees.frame(callee, call, frame)
        own = {name: value for name, (value, caller) in within.arguments.items() if caller is frame}
        built = dict(_built_from(call, frame.scope, resolver, reader.namer.fields))
        span = inside.file.spans.span(callee.function)
        named = partial(reader.namer.canonical, frame=within)
        further = partial(_called_within, frame=within, resolver=resolver, reader=reader)
        yield CalledElsewhere(callee.function, inside.file.path, span, own, named, built, further), inside


def _built_from(call: ast.Call, scope: Scope, resolver: Resolver, fields: Fields) -> Iterator[tuple[str, ast.expr]]:
    """The attributes of the object whose method is called, each with what its constructor was given for it."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    for held in resolver.resolve(receiver, scope) if scope.self_name() != getattr(receiver, "id", "") else ():
        for name, value in fields.given(held):
            assert held.built is not None
            seen = _seen_from(scope, value, held.built[1]) or _handed_to_helper(receiver, value, held.built[1], scope)
            if seen is not None:
                yield name, seen


def _seen_from(scope: Scope, value: ast.expr, there: Scope) -> ast.expr | None:
    """An expression of one scope as another can write it: a parameter of a method as what the object keeps it as."""
    if there.node in (outer.node for outer in scope.chain()) or _root(value) == there.self_name():
        return value
    owner = there.owner_class()
    if owner is None or owner is not scope.owner_class() or not isinstance(value, ast.Name):
        return None
    for attribute, definitions in owner.attributes.items():
        for definition in definitions:
            kept = definition.value
            if definition.scope is there and isinstance(kept, ast.expr) and _root(placed(kept)) == value.id:
                return ast.Attribute(ast.Name(scope.self_name() or "self", ast.Load()), attribute, ast.Load())
    return None


def _handed_to_helper(receiver: ast.expr, value: ast.expr, there: Scope, scope: Scope) -> ast.expr | None:
    """What the function that builds an object was given for a parameter, where one call of it makes the receiver."""
    definitions = scope.lookup(receiver.id) if isinstance(receiver, ast.Name) else []
    made = definitions[0].value if len(definitions) == 1 else None
    called = made.func if isinstance(made, ast.Call) else None
    if not isinstance(called, ast.Name) or called.id != there.label or not isinstance(there.node, _DEFINITIONS):
        return None
    given = dict(zip((one.arg for one in parameters(there.node)), made.args, strict=False))  # type: ignore[union-attr]
    given |= {word.arg: word.value for word in made.keywords if word.arg}  # type: ignore[union-attr]
    return given.get(value.id) if isinstance(value, ast.Name) else None


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def built_elsewhere(node: ast.expr, scope: Scope, resolver: Resolver) -> Iterator[BuiltElsewhere]:
    """The calls in other files that make what `node`, read in `scope`, holds."""
    for binding in resolver.resolve(node, scope):
        there = binding.scope
        if binding.form is not Form.INSTANCE or not isinstance(binding.node, ast.Call) or there is None:
            continue
        if not resolver.is_own(there) and there.file is not None:
            yield BuiltElsewhere(binding.node, binding.symbol, there.file.path, there.file.spans.span(binding.node))
