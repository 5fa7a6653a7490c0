"""Dictionaries and lists of a dry run."""

from __future__ import annotations

from ampfix.dryrun.state import State, is_made
from ampfix.dryrun.store import chosen
from ampfix.dryrun.values import HELD, NONE, Choice, Class, Function, Items, Known, Test, Thing, Value

_MAX_ITEMS = 200
_MAX_MEANT = 4  # values of a registry that are followed


class Containers:
    """Reads and changes what containers hold."""

    def __init__(self, state: State) -> None:
        self._state, self._store = state, state.store

    def items(self, value: Value) -> Items | None:
        """What a container holds; None where it is none, or not seen."""
        value = self._store.resolved(value)
        if isinstance(value, Thing):
            return self._held(self._store.get(value, HELD))
        return value if isinstance(value, Items) else None

    def _held(self, held: Value | None) -> Items | None:
        """What a container holds that a test filled in one way or another: what is in it for sure, or may be."""
        if not isinstance(held, Choice):
            return held if isinstance(held, Items) else None
        yes, no = self._held(held.yes), self._held(held.no)
        if yes is None or no is None:
            return yes or no
        entries = dict(no.entries)
        for key, value in yes.entries:
            other = entries.get(key)
            entries[key] = value if other is None else chosen(held.test, value, other)
        return Items(tuple(entries.items()), yes.whole and no.whole and len(entries) == len(yes.entries))

    def elements(self, value: Value) -> list[Value]:
        """What a loop over a value gets: each element where they are seen, else one that stands for all."""
        held = self.items(value)
        if held is not None and held.entries:
            is_mapping = isinstance(value, Thing) and value.made_by == "builtins.dict"
            return [key if is_mapping else one for key, one in held.entries]
        if held is not None and held.whole:
            return []
        if isinstance(value, Thing) and not value.made_by.startswith("builtins."):
            return [self._state.unknown("element", value, owners=value.owners)]
        return [self._state.unknown()]

    def meant(self, held: Items, key: Value) -> Value | None:
        """What an unknown key of a registry of functions or classes may mean: each of the first few."""
        named = [(one, value) for one, value in held.entries if isinstance(value, Function | Class)]
        if not isinstance(key, Thing) or is_made(key) or not named or len(named) < len(held.entries):
            return None
        *others, (_, final) = named[:_MAX_MEANT]
        last: Value = final
        for one, value in reversed(others):
            last = chosen(Test(key, one), value, last)
        return last

    def put(self, container: Value, key: Value | None, value: Value) -> None:
        """What `container[key] = value` does."""
        held = self.items(container)
        if held is None or not isinstance(container, Thing):
            return
        if key is None or len(held.entries) >= _MAX_ITEMS:
            self._store.put(container, HELD, held.opened())
        else:
            self._store.put(container, HELD, held.put(key, value))

    def method(self, thing: Value, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value | None:
        """What a method of a container gives; None of one that is not known here."""
        held = self.items(thing)
        if held is None:
            return None
        change = getattr(self, f"_on_{name}", None)
        return None if change is None else change(thing, held, args, kwargs)

    def _on_get(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        found = held.get(args[0]) if args else None
        if found is not None:
            return found
        if held.whole and args and isinstance(args[0], Known):
            return args[1] if len(args) > 1 else NONE
        meant = self.meant(held, args[0]) if args else None
        if meant is not None:
            return meant
        return self._state.unknown("item", thing, args[0] if args else None)

    _on_setdefault = _on_pop = _on_get

    def _on_items(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        return Items.listed((Items.listed(entry) for entry in held.entries), whole=held.whole)

    def _on_keys(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        return Items.listed((key for key, _ in held.entries), whole=held.whole)

    def _on_values(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        return Items.listed((value for _, value in held.entries), whole=held.whole)

    def _on_update(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        other = self.items(args[0]) if args else Items()
        for key, value in (*(other.entries if other else ()), *((Known(key), one) for key, one in kwargs.items())):
            held = held.put(key, value)
        self._set(thing, held if other is not None and other.whole else held.opened())
        return NONE

    def _on_append(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        if args and len(held.entries) < _MAX_ITEMS:
            self._set(thing, held.put(Known(len(held.entries)), args[0]))
        return NONE

    _on_add = _on_append

    def _on_extend(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        other = self.items(args[0]) if args else None
        for _, value in other.entries if other else ():
            held = held.put(Known(len(held.entries)), value)
        self._set(thing, held if other is not None and other.whole else held.opened())
        return NONE

    def _on_copy(self, thing: Value, held: Items, args: list[Value], kwargs: dict[str, Value]) -> Value:
        return self.made(thing.made_by if isinstance(thing, Thing) else "builtins.list", held)

    def made(self, made_by: str, held: Value) -> Thing:
        """A new container of a kind."""
        thing = Thing(made_by=made_by)
        self._store.put(thing, HELD, held)
        return thing

    def _set(self, thing: Value, held: Items) -> None:
        if isinstance(thing, Thing):
            self._store.put(thing, HELD, held)
