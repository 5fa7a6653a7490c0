"""What names, attributes and containers hold while a dry run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ampfix.dryrun.values import Choice, Test, Value

Key = tuple[Any, str]
_MAX_DEPTH = 5  # of choices inside each other; beyond, the latest value stands for all


class Store:
    """Layers of bindings: what a branch binds is kept apart until it is known what the other one does."""

    def __init__(self) -> None:
        self._layers: list[dict[Key, Value]] = [{}]
        self.assumed: dict[Test, bool] = {}
        self.asked: set[Test] = set()  # what the run so far may depend on

    def get(self, owner: object, name: str) -> Value | None:
        """What is bound, under what is assumed."""
        key = (owner, name)
        for layer in reversed(self._layers):
            value = layer.get(key)
            if value is not None:
                return self.resolved(value)
        return None

    def all_of(self, owner: object) -> Iterator[tuple[str, Value]]:
        """Every name that is bound for an owner, with what it holds."""
        found = {name: True for layer in self._layers for one, name in layer if one is owner}
        for name in found:
            value = self.get(owner, name)
            if value is not None:
                yield name, value

    def held(self) -> dict[object, list[Value]]:
        """What each owner holds by its names, in every layer."""
        found = dict[object, list[Value]]()
        for layer in self._layers:
            for (owner, _), value in layer.items():
                found.setdefault(owner, []).append(value)
        return found

    def put(self, owner: object, name: str, value: Value) -> None:
        self._layers[-1][owner, name] = value

    def resolved(self, value: Value) -> Value:
        """A value under what is assumed."""
        while isinstance(value, Choice):
            answer = self.answer(value.test)
            if answer is None:
                return value
            value = value.yes if answer else value.no
        return value

    def answer(self, test: Test) -> bool | None:
        """What is assumed of a test: one value equals one constant at most."""
        answer = self.assumed.get(test)
        self.asked.add(test)
        if answer is None and test.equals is not None:
            held = (other for other, holds in self.assumed.items() if holds and other.of is test.of)
            others = [other for other in held if other.equals is not None]
            self.asked.update(others)
            return False if others else None
        return answer

    @contextmanager
    def assuming(self, test: Test, holds: bool) -> Iterator[None]:
        """Inside it a test has an answer."""
        before = self.assumed
        self.assumed = {**before, test: holds}
        try:
            yield
        finally:
            self.assumed = before

    @contextmanager
    def branch(self, test: Test, holds: bool) -> Iterator[dict[Key, Value]]:
        """Inside it a test has an answer, and what is bound goes into a layer of its own, which is given."""
        layer: dict[Key, Value] = {}
        self._layers.append(layer)
        try:
            with self.assuming(test, holds):
                yield layer
        finally:
            self._layers.pop()

    @contextmanager
    def at_the_base(self) -> Iterator[None]:
        """Inside it what is bound holds whatever is assumed."""
        layers, assumed = self._layers, self.assumed
        self._layers, self.assumed = layers[:1], {}
        try:
            yield
        finally:
            self._layers, self.assumed = layers, assumed

    def merge(self, test: Test, yes: dict[Key, Value], no: dict[Key, Value]) -> None:
        """Bind what two branches bound, each under its answer."""
        for key in {**yes, **no}:
            before = self._raw(key)
            first, second = yes.get(key, before), no.get(key, before)
            value = first or second if first is None or second is None else chosen(test, first, second)
            if value is not None:
                self._layers[-1][key] = value

    def _raw(self, key: Key) -> Value | None:
        return next((layer[key] for layer in reversed(self._layers) if key in layer), None)


def chosen(test: Test, yes: Value, no: Value) -> Value:
    """A choice, or the one value that both are."""
    yes, no = _under(yes, test, True), _under(no, test, False)
    if yes is no or yes == no:
        return yes
    if _depth(yes) >= _MAX_DEPTH or _depth(no) >= _MAX_DEPTH:
        return yes if _depth(yes) < _depth(no) else no
    return Choice(test, yes, no)


def _under(value: Value, test: Test, holds: bool) -> Value:
    while isinstance(value, Choice) and value.test == test:
        value = value.yes if holds else value.no
    return value


def _depth(value: Value) -> int:
    return 1 + max(_depth(value.yes), _depth(value.no)) if isinstance(value, Choice) else 0
