"""The states of scalers that a file saves and restores, and whether they join those of the optimizers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Role, Source
from ampfix.records import dataclass
from ampfix.rules import _checkpoints as checkpoints
from ampfix.rules import _places as places
from ampfix.rules._checkpoints import Entry
from ampfix.rules._elements import elements
from ampfix.rules._owners import stem
from ampfix.rules._pairs import Pair


@dataclass(frozen=True)
class Kept:
    """One state of a scaler that the file stores or restores. place: the dictionary or function that shows where.

    scaler: the last part of its name; empty where several are meant."""

    scaler: str
    key: str
    place: ast.AST | None
    beside_optimizer: bool


def kept(source: Source, method: str, entries: list[Entry], pairs: list[Pair]) -> list[Kept]:
    """Every scaler state the file saves (`state_dict`) or loads (`load_state_dict`). pairs: whose scalers those are."""
    scalers = {_last(pair.scaler) for pair in pairs}
    places_of_entries = {checkpoints.place_of(entry.node, source) for entry in entries}
    found = []
    for call in places.all_methods_called(source, method):
        for scaler in _scalers(call, scalers, source):
            place = checkpoints.place_of(call, source)
            found.append(Kept(scaler, checkpoints.key_of_state(call, source), place, place in places_of_entries))
    return found


def _scalers(call: ast.Call, scalers: set[str], source: Source) -> Iterator[str]:
    """The scaler that a method is called on; no name for one among the things that a loop goes through."""
    assert isinstance(call.func, ast.Attribute)
    receiver = places.receiver(call)
    if _is_named(receiver, scalers) or source.held(call.func.value).role is Role.SCALER:
        yield _last(receiver)
    elif any(_is_named(one, scalers) for one in (stem(call.func.value, source), *elements(call.func.value, source))):
        yield ""


def _is_named(written: str, scalers: set[str]) -> bool:
    return "scaler" in written.lower() or _last(written) in scalers


def _last(written: str) -> str:
    return written.rpartition(".")[2]


class States:
    """The scaler states of a file, by where they are kept."""

    def __init__(self, kept: list[Kept], pairs: list[Pair], source: Source) -> None:
        self._source = source
        self._made = {_last(built.target) for built in source.scalers}
        self._stepping: dict[str, set[str]] = {}  # optimizer -> the scalers that step it
        for pair in pairs:
            self._stepping.setdefault(_last(pair.optimizer), set()).add(_last(pair.scaler))
        # Scalers that the file makes each by itself: their states are not another one's.
        self._own = {_last(pair.scaler) for pair in pairs} & self._made
        self._by_place: dict[ast.AST | None, set[str]] = {}
        self._anywhere = {state.scaler for state in kept if not state.beside_optimizer}
        self._of_any = bool(self._anywhere - self._own)
        for state in kept:
            self._by_place.setdefault(state.place, set()).add(state.scaler)

    def complete(self, entry: Entry, pair: Pair) -> bool:
        """Whether the state of the pair's scaler joins this optimizer's, here or at a place from which it may come."""
        around = {checkpoints.place_of(entry.node, self._source), places.function_of(entry.node, self._source)}
        added_to = checkpoints.extended(entry.node, self._source)
        around |= {added_to} if added_to is not None else set()
        here = {scaler for place in around for scaler in self._by_place.get(place, ())}
        if _last(pair.scaler) not in self._made:
            return bool(here or self._anywhere)
        same = self._stepping[_last(pair.optimizer)]
        return (
            self._of_any
            or not same.isdisjoint(self._anywhere)
            or any(one in same or one not in self._own for one in here)
        )
