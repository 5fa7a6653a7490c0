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
    elif any(_is_named(one, scalers) for one in elements(call.func.value, source)):
        yield ""


def _is_named(written: str, scalers: set[str]) -> bool:
    return "scaler" in written.lower() or _last(written) in scalers


def of_others(pair: Pair, pairs: list[Pair], source: Source) -> set[str]:
    """The scalers that step other optimizers alone, as far as the file makes each by itself: their states are not this
    one's."""
    made = {_last(built.target) for built in source.scalers}
    if _last(pair.scaler) not in made:
        return set()
    same = {_last(other.scaler) for other in pairs if _last(other.optimizer) == _last(pair.optimizer)}
    return {_last(other.scaler) for other in pairs} & made - same


def _last(written: str) -> str:
    return written.rpartition(".")[2]


def is_complete(entry: Entry, states: list[Kept], source: Source) -> bool:
    """Whether a scaler's state joins this optimizer's, here or at a place from which it may come here."""
    around = [checkpoints.place_of(entry.node, source), places.function_of(entry.node, source)]
    added_to = checkpoints.extended(entry.node, source)
    around += [added_to] if added_to is not None else []
    return any(state.place in around or not state.beside_optimizer for state in states)
