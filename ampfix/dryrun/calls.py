"""What calls do: functions and classes of the project, methods of things, and names of libraries."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ampfix.dryrun import library
from ampfix.dryrun.builtin import Builtins
from ampfix.dryrun.containers import Containers
from ampfix.dryrun.forwards import Forwards
from ampfix.dryrun.libcalls import LibraryCalls
from ampfix.dryrun.names import Names
from ampfix.dryrun.objects import Objects
from ampfix.dryrun.state import State, is_made, owners_of
from ampfix.dryrun.values import (
    NONE,
    Bound,
    Choice,
    Class,
    Function,
    Known,
    Library,
    Managed,
    ModuleOf,
    Partial,
    Region,
    Scope,
    Super,
    Thing,
    Value,
)

if TYPE_CHECKING:
    from ampfix.dryrun.expressions import Expressions
    from ampfix.dryrun.flows import Flow
    from ampfix.dryrun.machine import Statements


class Calls:
    """Calls, attributes and assignments of a run."""

    expressions: Expressions
    statements: Statements

    def __init__(self, state: State, names: Names) -> None:
        self._state, self._store, self.names = state, state.store, names
        self.containers = Containers(state)
        self.items, self.elements = self.containers.items, self.containers.elements
        self.objects = Objects(self)
        self.library = LibraryCalls(self)
        self.builtins = Builtins(self)
        self.forwards = Forwards(self)

    @property
    def state(self) -> State:
        return self._state

    def take_apart(self) -> None:
        for part in (self.objects, self.library, self.builtins):
            part.__dict__.clear()

    # attributes

    def attribute(self, value: Value, name: str, node: ast.AST, scope: Scope) -> Value:
        """What `value.name` is."""
        if isinstance(value, ModuleOf):
            return self.names.member(value, name) or self._state.unknown("attribute", value, name)
        if isinstance(value, Library):
            symbol = f"{value.symbol}.{name}"
            return self.names.located(symbol, scope.module.path) or Library(symbol)
        if isinstance(value, Class | Function) and name == "__name__" and not isinstance(value.node, ast.Lambda):
            return Known(value.node.name)
        if isinstance(value, Class):
            found = self.objects.member(value, name)
            return found if found is not None else self._state.unknown("attribute", value, name)
        if isinstance(value, Super):
            found = self.objects.inherited(value, name)
            return found if found is not None else Bound(name, value.receiver)
        if isinstance(value, Thing):
            return self._of_thing(value, name, node, scope)
        if isinstance(value, Function | Partial | Managed | Bound):
            return self._state.unknown("attribute", value, name)
        return Bound(name, value)

    def _of_thing(self, thing: Thing, name: str, node: ast.AST, scope: Scope) -> Value:
        found = self.objects.of_instance(thing, name)
        if isinstance(found, Function) and found.kind == "property":
            return self.run(found, [thing], {}, node, scope)
        if isinstance(found, Function):
            return found if found.kind == "staticmethod" else Bound(found, thing)
        if found is not None:
            return found
        got = self._got(thing, name, node, scope)
        if got is not None:
            return got
        if _has(thing, name):
            return Bound(name, thing)
        if name in ("module", "_orig_mod", "data"):
            return thing
        return self._state.unknown("attribute", thing, name, owners=thing.owners)

    def _got(self, thing: Thing, name: str, node: ast.AST, scope: Scope) -> Value | None:
        """What `__getattr__` of an object's class gives."""
        getter = self.objects.of_instance(thing, "__getattr__") if thing.cls is not None else None
        if not isinstance(getter, Function) or name.startswith("__"):
            return None
        value = self.run(getter, [thing, Known(name)], {}, node, scope)
        return None if isinstance(value, Thing) and not is_made(value) else value

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """What `target = value` does."""
        if isinstance(target, ast.Name):
            self.names.bind(target.id, value, scope)
        elif isinstance(target, ast.Attribute):
            owner = self.expressions.evaluate(target.value, scope)
            self.expressions.each(owner, lambda one: self._set(one, target.attr, value))
        elif isinstance(target, ast.Subscript):
            owner = self.expressions.evaluate(target.value, scope)
            key = None if isinstance(target.slice, ast.Slice) else self.expressions.evaluate(target.slice, scope)
            self.expressions.each(owner, lambda one: self._set_item(one, key, value))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, self._state.unknown(owners=owners_of([value])), scope)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value, scope)

    def _set(self, owner: Value, name: str, value: Value) -> Value:
        if isinstance(owner, Thing | Class):
            self._state.changes[owner] += 1
            self._store.put(owner, name, value)
            if name == "requires_grad":
                self._state.train(owner, value)
        elif isinstance(owner, ModuleOf):
            self.names.set_member(owner, name, value)
        return NONE

    def _set_item(self, owner: Value, key: Value | None, value: Value) -> Value:
        self.containers.put(owner, key, value)
        return NONE

    def _unpack(self, targets: list[ast.expr], value: Value, scope: Scope) -> None:
        value = self._store.resolved(value)
        if isinstance(value, Choice):
            for place, target in enumerate(targets):
                self.assign(target, self.expressions.each(value, partial(self._part, place=place)), scope)
            return
        starred = next((at for at, target in enumerate(targets) if isinstance(target, ast.Starred)), len(targets))
        for place, target in enumerate(targets):
            unseen = self._state.unknown(owners=owners_of([value]))
            self.assign(target, self._part(value, place) if place < starred else unseen, scope)

    def _part(self, value: Value, place: int) -> Value:
        held = self.items(value)
        if held is not None:
            found = held.get(Known(place))
            return found if found is not None else self._state.unknown("item", value, place)
        if isinstance(value, Thing):
            return self._state.unknown("item", value, Known(place), owners=value.owners)
        return self._state.unknown()

    # calls

    def call(self, value: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        """What `value(*args, **kwargs)` gives."""
        if isinstance(value, Function):
            return self.run(value, args, kwargs, node, scope)
        if isinstance(value, Bound):
            if isinstance(value.function, Function):
                return self.run(value.function, [value.receiver, *args], kwargs, node, scope)
            return self.method(value.receiver, value.function, args, kwargs, node, scope)
        if isinstance(value, Partial):
            return self.call(value.function, [*value.args, *args], {**value.kwargs, **kwargs}, node, scope)
        if isinstance(value, Class):
            return self.objects.instantiate(value, args, kwargs, node, scope)
        if isinstance(value, Library):
            if value.symbol.startswith("builtins."):
                return self.builtins.call(value.symbol[9:], args, kwargs, node, scope)
            return self.library.call(value.symbol, args, kwargs, node, scope)
        if isinstance(value, Thing):
            return self._thing(value, args, kwargs, node, scope)
        if isinstance(value, Region):  # as a decorator
            return self._decorated(value, args)
        return self._state.unknown(owners=owners_of([*args, *kwargs.values()]))

    def _decorated(self, region: Region, args: list[Value]) -> Value:
        function = args[0] if args else NONE
        if isinstance(function, Function):
            return Function(
                function.node, function.module, function.scope, (*function.wraps, region), function.kind, function.owner
            )
        return function

    def _thing(self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        called = self.objects.of_instance(thing, "__call__")
        if isinstance(called, Function):
            return self.run(called, [thing, *args], kwargs, node, scope)
        given = [*args, *kwargs.values()]
        owners = owners_of(given) | {thing} | self._state.forwarded(thing, given, node, scope.module)
        forward = self.objects.of_instance(thing, "forward")
        if isinstance(forward, Function):
            return self.forwards.run(thing, forward, args, kwargs, node, scope, owners)
        self.library.run_handed(given, node, scope)
        return self._state.unknown(owners=owners)

    def method(
        self, value: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        """What `value.name(*args, **kwargs)` gives."""
        if isinstance(value, Thing):
            found = self.objects.of_instance(value, name)
            if isinstance(found, Function):
                if value.made_by:
                    self._state.tell("method", value, tuple(args), node, scope.module)
                given = args if found.kind == "staticmethod" else [value, *args]
                return self.run(found, given, kwargs, node, scope)
            if found is not None:
                return self.expressions.each(found, lambda one: self.call(one, args, kwargs, node, scope))
            got = self._got(value, name, node, scope)
            if got is not None:
                return self.expressions.each(got, lambda one: self.call(one, args, kwargs, node, scope))
        if isinstance(value, Super):
            inherited = self.objects.inherited(value, name)
            if isinstance(inherited, Bound):
                return self.call(inherited, args, kwargs, node, scope)
            return self.library.method(value.receiver, name, args, kwargs, node, scope)
        if isinstance(value, Class):
            found = self.objects.member(value, name)
            if isinstance(found, Function):
                given = [value, *args] if found.kind == "classmethod" else args
                return self.run(found, given, kwargs, node, scope)
        if isinstance(value, ModuleOf | Library | Class | Partial):
            return self.call(self.attribute(value, name, node, scope), args, kwargs, node, scope)
        changed = self.containers.method(value, name, args, kwargs)
        return changed if changed is not None else self.library.method(value, name, args, kwargs, node, scope)

    def run(
        self, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        return self.objects.run(function, args, kwargs, node, scope)

    def define(self, node: ast.AST, scope: Scope) -> Value:
        return self.objects.define(node, scope)

    def enter(self, value: Value, node: ast.AST, scope: Scope, inside: Callable[[Value], Flow]) -> Flow:
        """Run the body of a `with` statement in the context that a value manages."""
        value = self._store.resolved(value)
        if isinstance(value, Choice):
            return self.statements.forked(
                value.test, lambda holds: self.enter(value.yes if holds else value.no, node, scope, inside)
            )
        if isinstance(value, Region):
            with self._state.inside(value):
                return inside(value)
        if isinstance(value, Managed):
            return self.objects.manage(value, node, scope, inside)
        if isinstance(value, Thing):
            entering = self.objects.of_instance(value, "__enter__")
            if isinstance(entering, Function):
                entered = self.run(entering, [value], {}, node, scope)
                flow = inside(entered)
                leaving = self.objects.of_instance(value, "__exit__")
                if isinstance(leaving, Function):
                    self.run(leaving, [value, NONE, NONE, NONE], {}, node, scope)
                return flow
        return inside(value)


def _has(thing: Thing, name: str) -> bool:
    """Whether an attribute is a method of a library's object for all that is seen."""
    steps = library.is_scaler(thing.made_by) or library.is_optimizer(thing.made_by)
    return name in library.METHODS or (steps and name in ("step", "scale", "update"))
