"""Python's own functions in a dry run."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from ampfix.dryrun.state import owners_of
from ampfix.dryrun.values import (
    FALSE,
    NONE,
    TRUE,
    UNROLLED,
    Class,
    Function,
    Items,
    Known,
    Library,
    Scope,
    Super,
    Thing,
    Value,
)

if TYPE_CHECKING:
    from ampfix.dryrun.calls import Calls

_PLAIN: dict[str, Callable[..., object]] = {"int": int, "float": float, "str": str, "len": len, "abs": abs}


class Builtins:
    """Calls of builtin functions."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._state = calls, calls.state

    def call(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        known = getattr(self, f"_on_{name}", None)
        if known is not None:
            value: Value = known(args, kwargs, node, scope)
            return value
        if name in ("exit", "quit"):
            return Library("builtins.exited")
        if name in ("iter", "reversed", "sorted") and args:
            return args[0]
        if name == "next" and args:
            return next(iter(self._calls.elements(args[0])), NONE)
        if name in _PLAIN and len(args) == 1 and isinstance(args[0], Known):
            try:
                return Known(_PLAIN[name](args[0].value))
            except (TypeError, ValueError):
                return self._state.unknown()
        self._calls.library.run_handed([*args, *kwargs.values()], node, scope)
        return self._state.unknown(owners=owners_of(args))

    def _on_getattr(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if len(args) < 2 or not isinstance(args[1], Known):
            return self._state.unknown()
        name = str(args[1].value)
        return self._calls.expressions.each(args[0], lambda one: self._calls.attribute(one, name, node, scope))

    def _on_setattr(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if len(args) == 3 and isinstance(args[0], Thing) and isinstance(args[1], Known):
            self._state.store.put(args[0], str(args[1].value), args[2])
        return NONE

    def _on_hasattr(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if len(args) == 2 and isinstance(args[0], Thing) and isinstance(args[1], Known):
            found = self._calls.objects.of_instance(args[0], str(args[1].value))
            if found is not None:
                return TRUE
            if args[0].cls is not None and not args[0].made_by:
                return FALSE
        return self._state.unknown("hasattr", *args)

    def _on_isinstance(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if len(args) == 2 and isinstance(args[0], Thing) and args[0].cls is not None and isinstance(args[1], Class):
            return Known(args[1] in self._calls.objects.mro(args[0].cls))
        return self._state.unknown("isinstance", *args[:2])

    def _on_globals(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        top = self._calls.names.top(scope)
        entries = ((Known(name), value) for name, value in self._state.store.all_of(top))
        items = Items(tuple(entry for entry in entries if isinstance(entry[1], Thing | Function | Class)), False)
        return self._calls.expressions.container(items, "dict", node, scope)

    def _on_bool(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        return self._calls.expressions.decided(args[0], Known) if args else FALSE

    def _on_super(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        around: Scope | None = scope
        while around is not None and (around.function is None or around.function.owner is None):
            around = around.around
        if around is None or around.function is None or around.function.owner is None or around.receiver is None:
            return self._state.unknown()
        return Super(around.function.owner, around.receiver)

    def _on_dict(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        held = self._calls.items(args[0]) if args else Items()
        unseen = kwargs.pop("**", None)
        items = held or Items((), False)
        for key, value in kwargs.items():
            items = items.put(Known(key), value)
        return self._calls.expressions.container(items if unseen is None else items.opened(), "dict", node, scope)

    _on_OrderedDict = _on_dict

    def _on_list(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        held = self._calls.items(args[0]) if args else Items()
        if held is None:
            return self._state.unknown(owners=owners_of(args))
        values = self._calls.elements(args[0]) if args else []
        return self._calls.expressions.container(Items.listed(values, whole=held.whole), "list", node, scope)

    _on_tuple = _on_set = _on_list

    def _on_enumerate(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        return self._paired([self._state.unknown(node, "index")], args[:1])

    def _on_zip(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        return self._paired([], args)

    def _paired(self, first: list[Value], iterables: list[Value]) -> Value:
        columns = [self._calls.elements(one) for one in iterables]
        helds = [self._calls.items(one) for one in iterables]
        whole = all(held is not None and held.whole for held in helds)
        rows = enumerate(zip(*columns, strict=False))
        pairs = ([*(Known(place) if whole else value for value in first), *row] for place, row in rows)
        return Items.listed(map(Items.listed, pairs), whole=whole)

    def _on_range(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if all(isinstance(one, Known) and isinstance(one.value, int) for one in args) and args:
            numbers = range(*(one.value for one in args if isinstance(one, Known)))
            if len(numbers) <= 4:
                return Items.listed(map(Known, numbers))
        return self._state.unknown(made_by="builtins.range")

    def _on_map(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if len(args) != 2:
            return self._state.unknown()
        elements = self._calls.elements(args[1])[:UNROLLED]
        return Items.listed((self._calls.call(args[0], [one], {}, node, scope) for one in elements), whole=False)
