"""One way through a step program: the protocol state on it, and what it has assumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ampfix.program import Always, AnyOf, Assign, Atom, Condition, Do, Not
from ampfix.protocol import State


@dataclass(frozen=True)
class Past:
    """The events of a path, newest first."""

    do: Do
    before: Past | None

    def newest_first(self) -> Iterator[Do]:
        past: Past | None = self
        while past is not None:
            yield past.do
            past = past.before


@dataclass(frozen=True)
class Path:
    """Equal paths have the same future. `state` must be interned: equal states are one object.

    scaled: (variable, the scaler that scaled what it holds). doubt: code that was not seen ran since the last backward.
    """

    state: State
    assumed: frozenset[tuple[Atom, bool]] = frozenset()
    scaled: frozenset[tuple[str, str]] = frozenset()
    doubt: bool = False
    past: Past | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash((id(self.state), self.assumed, self.scaled, self.doubt))

    def truth(self, atom: Atom) -> bool | None:
        """What the path assumes about an atom."""
        if (atom, True) in self.assumed:
            return True
        return False if (atom, False) in self.assumed else None

    def assume(self, atom: Atom, value: bool) -> Path:
        """The path on which the atom has this value."""
        return replace(self, assumed=self.assumed | {(atom, value)})

    def events(self) -> Iterator[Do]:
        """What happened on the path, newest first."""
        return self.past.newest_first() if self.past is not None else iter(())


def split(condition: Condition, path: Path) -> Iterator[tuple[Path, bool]]:
    """The ways a condition can turn out on a path, each with what it decides."""
    if isinstance(condition, Always):
        yield path, condition.value
    elif isinstance(condition, Atom):
        known = path.truth(condition)
        if known is not None:
            yield path, known
        else:
            yield path.assume(condition, True), True
            yield path.assume(condition, False), False
    elif isinstance(condition, Not):
        for decided, value in split(condition.operand, path):
            yield decided, not value
    else:
        yield from _split_all(condition.operands, path, stop_at=isinstance(condition, AnyOf))


def _split_all(operands: tuple[Condition, ...], path: Path, *, stop_at: bool) -> Iterator[tuple[Path, bool]]:
    if not operands:
        yield path, not stop_at
        return
    for decided, value in split(operands[0], path):
        if value is stop_at:
            yield decided, stop_at
        else:
            yield from _split_all(operands[1:], decided, stop_at=stop_at)


def forget(path: Path, names: tuple[str, ...]) -> Path:
    """The path without what it assumed about names that change."""
    kept = _kept(path.assumed, names)
    return path if kept is path.assumed else replace(path, assumed=kept)


@lru_cache(maxsize=4096)
def _kept(assumed: frozenset[tuple[Atom, bool]], names: tuple[str, ...]) -> frozenset[tuple[Atom, bool]]:
    kept = frozenset(item for item in assumed if not any(_concerns(item[0], name) for name in names))
    return assumed if len(kept) == len(assumed) else kept


def _concerns(atom: Atom, name: str) -> bool:
    return any(used == name or used.startswith((f"{name}.", f"{name}[")) for used in atom.names)


def assign(node: Assign, path: Path) -> Path:
    """The path after an assignment."""
    scaled = dict(path.scaled)
    scaler = node.scaled_by or next((scaled[source] for source in node.sources if source in scaled), None)
    for name in node.names:
        scaled.pop(name, None)
        if scaler is not None:
            scaled[name] = scaler
    path = replace(forget(path, node.names), scaled=frozenset(scaled.items()))
    if node.value is not None:
        for name in node.names:
            path = path.assume(Atom(name, frozenset({name})), node.value)
    return path
