"""Finds what lies in other files: functions that a call runs, and where a value is built."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import partial

from ampfix.lint.callees import Argument, Callee, Callees
from ampfix.lint.calls import CallReader
from ampfix.lint.elements import elements_of
from ampfix.lint.fields import Fields
from ampfix.lint.frames import Frame
from ampfix.lint.handed import Handed, argument_for
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope, parameters
from ampfix.lint.usage import dotted
from ampfix.program import BuiltElsewhere, CalledElsewhere, Form, Role
from ampfix.program.tree import unparsed
from ampfix.rules._places import is_switched_off
from ampfix.rules._shapes import placed

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MAX_OBJECTS = 1  # inside each other, on the way to a scaler


def called_elsewhere(
    call: ast.Call, scope: Scope, resolver: Resolver, reader: CallReader, handed: Handed
) -> Iterator[CalledElsewhere]:
    """The functions in other files that `call`, made in `scope`, may run, be it as methods of an object that the
    callers of its function hand in."""
    frame = Frame(scope, arguments=_receiver(call, scope, handed))
    callees = Callees(resolver, reader, reader.namer.fields)
    found = list(callees.of(call, frame)) or list(_of_parameter(call, scope, callees, handed))
    found = found or [*_of_element(call, scope, callees)]
    yield from _shown(_elsewhere(found, resolver), call, frame, resolver, reader)


def _receiver(call: ast.Call, scope: Scope, handed: Handed) -> dict[str, Argument]:
    """The parameter whose method is called, with what it holds; empty where that is not one thing."""
    holder = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(holder, ast.Name):
        return {}
    given = {(unparsed(one), there.node): (one, there) for one, there in handed.expressions(holder, scope)}
    ((one, there),) = given.values() if len(given) == 1 else ((holder, scope),)
    return {} if one is holder else {holder.id: (one, Frame(there))}


def _of_parameter(call: ast.Call, scope: Scope, callees: Callees, handed: Handed) -> Iterator[Callee]:
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        for given, there in handed.expressions(call.func.value, scope):
            callee = callees.method(given, call.func.attr, Frame(there)) if there is not scope else None
            if callee is not None:
                yield callee


def _of_element(call: ast.Call, scope: Scope, callees: Callees) -> Iterator[Callee]:
    """The methods that the variable of a loop over a list written out has: `for callback in self.callbacks`."""
    holder, name = (
        (call.func.value, call.func.attr) if isinstance(call.func, ast.Attribute) else (call.func, "__call__")
    )
    for element, there in elements_of(holder, scope) if isinstance(holder, ast.Name) else ():
        callee = callees.method(element, name, Frame(there))
        if callee is not None:
            yield callee


def called_in(call: ast.Call, scope: Scope, resolver: Resolver, reader: CallReader) -> Iterator[CalledElsewhere]:
    """The functions of any file that `call`, made in the `scope` of another, may run."""
    frame = Frame(scope)
    return _shown(Callees(resolver, reader, reader.namer.fields).of(call, frame), call, frame, resolver, reader)


def _called_within(call: ast.Call, frame: Frame, resolver: Resolver, reader: CallReader) -> tuple[CalledElsewhere, ...]:
    found = _elsewhere(Callees(resolver, reader, reader.namer.fields).of(call, frame), resolver)
    return tuple(_shown(found, call, frame, resolver, reader))


def _elsewhere(found: Iterable[Callee], resolver: Resolver) -> Iterator[Callee]:
    """Those of other files than the checked one."""
    return (callee for callee in found if not resolver.is_own(resolver.scope_of(callee.function)))


def _shown(
    found: Iterable[Callee], call: ast.Call, frame: Frame, resolver: Resolver, reader: CallReader
) -> Iterator[CalledElsewhere]:
    """Those whose definition lies in a file, as rules see them."""
    callees = Callees(resolver, reader, reader.namer.fields)
    for callee in found:
        inside = resolver.scope_of(callee.function)
        if inside.file is None or not isinstance(callee.function, _DEFINITIONS):
            continue
        inside.file.index_around(callee.function)  # so that rules find their way in it
        within = callees.frame(callee, call, frame)
        own = {name: value for name, (value, caller) in within.arguments.items() if caller is frame}
        built = dict(_built_from(call, frame.scope, resolver, reader.namer.fields))
        span = inside.file.spans.span(callee.function)
        named = partial(reader.namer.canonical, frame=within)
        further = partial(_called_within, frame=within, resolver=resolver, reader=reader)
        made = _made_by(call, frame.scope, resolver)
        yield CalledElsewhere(callee.function, inside.file.path, span, own, named, built, further, made)


def _made_by(call: ast.Call, scope: Scope, resolver: Resolver) -> ast.Call | None:
    """The one call that makes the object whose method is called."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    if getattr(receiver, "id", "") == scope.self_name():
        return None
    made = {held.built[0] for held in resolver.resolve(receiver, scope) if held.form is Form.OBJECT and held.built}
    return made.pop() if len(made) == 1 else None


def methods_elsewhere(
    node: ast.expr, scope: Scope, resolver: Resolver, reader: CallReader
) -> Iterator[CalledElsewhere]:
    """The methods of the class in another file that `node`, read in `scope`, is or makes an object of."""
    for held in resolver.resolve(node, scope):
        owner = resolver.scope_of(held.node) if held.form in (Form.OBJECT, Form.CLASS) else None
        if owner is None or owner.file is None or resolver.is_own(owner) or held.node not in owner.file.index.parents:
            continue
        built = dict(reader.namer.fields.given(held))
        for method in held.node.body:
            if isinstance(method, _DEFINITIONS):
                within = Frame(resolver.scope_of(method))
                named = partial(reader.namer.canonical, frame=within)
                further = partial(_called_within, frame=within, resolver=resolver, reader=reader)
                span = owner.file.spans.span(method)
                yield CalledElsewhere(method, owner.file.path, span, {}, named, built, further)


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
    if not isinstance(made, ast.Call) or dotted(made.func) != there.label or not isinstance(there.node, _DEFINITIONS):
        return None
    names = [one.arg for one in parameters(there.node)]
    return argument_for(made, value.id, names) if isinstance(value, ast.Name) else None


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


def scalers_beside(node: ast.expr, scope: Scope, resolver: Resolver, handed: Handed) -> Iterator[str]:
    """What a class of another file, whose attribute `node` is, calls the scalers that its objects keep."""
    if not isinstance(node, ast.Attribute):
        return
    if getattr(node.value, "id", "") == scope.self_name():
        here = scope.owner_class()
        owners = list(resolver.ancestry(here))[1:] if here is not None else []
    else:
        held = [one for one in resolver.resolve(node.value, scope) if one.form is Form.OBJECT]
        owners = [resolver.scope_of(one.node) for one in held or handed.objects(node.value, scope)]
    for owner in owners:
        if not resolver.is_own(owner):
            yield from _scalers_of(owner, resolver, _MAX_OBJECTS)


def _scalers_of(owner: Scope, resolver: Resolver, depth: int) -> Iterator[str]:
    """The attributes of a class that hold scalers, be it in the objects that it keeps: `amp.scaler`."""
    for name in dict.fromkeys(name for one in resolver.ancestry(owner) for name in one.attributes):
        for held in dict.fromkeys(resolver.attribute_of_class(owner, name)):
            if resolver.role(held) is Role.SCALER and not is_switched_off(held.node):
                yield name
                break
            if held.form is Form.OBJECT and depth:
                yield from (
                    f"{name}.{inner}" for inner in _scalers_of(resolver.scope_of(held.node), resolver, depth - 1)
                )
