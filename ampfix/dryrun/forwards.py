"""Forward passes of the project's models: each is followed once for a model, a region and a kind of arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from ampfix.dryrun.records import Event
from ampfix.dryrun.store import chosen
from ampfix.dryrun.values import Choice, Class, Function, Items, Known, Scope, Test, Thing, Value, leaves
from ampfix.records import dataclass, replace

if TYPE_CHECKING:
    from ampfix.dryrun.calls import Calls

_MAX_TOLD = 40  # events of a forward pass that are told again


@dataclass(frozen=True)
class _Pass:
    """A forward pass that was followed.

    answers: what it asked and was assumed, of all that was assumed before. changes: how often its model had been
    changed when it ended. depth: how many calls were under way when it began.
    """

    value: Value
    answers: dict[Test, bool]
    before: frozenset[Test]
    events: tuple[Event, ...]
    changes: int
    depth: int


class Forwards:
    """Runs forward passes. Inside another one, layers of one class and kind are one and the same."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._state, self._store = calls, calls.state, calls.state.store
        self._passes: dict[Any, _Pass] = {}
        self._inside = 0

    def run(
        self,
        thing: Thing,
        forward: Function,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.AST,
        scope: Scope,
        owners: frozenset[Thing],
    ) -> Value:
        """What a forward pass gives: of its own structure, made by all that took part."""
        layer = thing.cls if self._inside else thing
        kinds = (*map(_kind, args), *((name, _kind(value)) for name, value in kwargs.items()))
        region = self._state.regions[-1] if self._state.regions else None
        key = layer, forward, region, self._state.grad[-1], kinds
        known = self._passes.get(key)
        if known is not None and self._holds(known, thing):
            if not self._inside:
                self._tell_again(known)
            return self._owned(known.value, owners, isinstance(layer, Class))
        start, depth = len(self._state.events), len(self._state.calls)
        asked, self._store.asked = self._store.asked, set()
        self._inside += 1
        try:
            value = self._calls.run(forward, [thing, *args], kwargs, node, scope)
        finally:
            self._inside -= 1
            answers = {test: holds for test, holds in self._store.assumed.items() if test in self._store.asked}
            self._store.asked |= asked
        events = tuple(self._state.events[start : start + _MAX_TOLD])
        self._passes[key] = _Pass(
            value, answers, frozenset(self._store.assumed), events, self._state.changes[thing], depth
        )
        return self._owned(value, owners, False)

    def _holds(self, known: _Pass, thing: Thing) -> bool:
        """Whether a pass would go the same way now: what it asked has the same answers."""
        if self._inside:
            return True
        now = self._store.assumed
        same = known.changes == self._state.changes[thing]
        return same and all(now.get(test) is holds for test, holds in known.answers.items())

    def _tell_again(self, known: _Pass) -> None:
        now = self._store.assumed
        for event in known.events:
            further = {test: holds for test, holds in event.assumed if test not in known.before}
            if all(now.get(test, holds) is holds for test, holds in further.items()):
                stack = (*self._state.calls, *event.stack[known.depth :])
                self._state.events.append(replace(event, stack=stack, assumed=tuple({**now, **further}.items())))

    def _owned(self, value: Value, owners: frozenset[Thing], anew: bool) -> Value:
        if isinstance(value, Choice):
            return chosen(value.test, self._owned(value.yes, owners, anew), self._owned(value.no, owners, anew))
        if isinstance(value, Items):
            entries = ((key, self._owned(one, owners, anew)) for key, one in value.entries)
            return Items(tuple(entries), value.whole)
        held = self._calls.items(value)
        if isinstance(value, Thing) and held is not None:
            return self._calls.containers.made(value.made_by, self._owned(held, owners, anew))
        if isinstance(value, Thing) and not value.cls:
            return self._state.unknown(owners=owners if anew else owners | value.owners)
        return value


def _kind(value: Value, depth: int = 2) -> object:
    """What a value is as far as it decides the way of a forward pass."""
    if isinstance(value, Known):
        decides = value.value is None or isinstance(value.value, bool | str)
        return value if decides else type(value.value)
    if isinstance(value, Thing):
        return value if value.cls else value.made_by
    if isinstance(value, Items):
        return tuple(_kind(one, depth - 1) for _, one in value.entries) if depth else Items
    if isinstance(value, Choice):
        return frozenset(_kind(leaf, depth) for leaf in leaves(value))
    return value
