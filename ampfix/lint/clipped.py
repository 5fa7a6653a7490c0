"""Which optimizers a clip, or a scheduler's step, is about that names none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ampfix.lint.prune import every_node
from ampfix.program import Block, Do, Fresh, Role
from ampfix.protocol import EventKind, Stage, State


class Clipped:
    """Answers for one routine. owners: optimizer -> whose parameters it updates."""

    def __init__(self, body: Block, events: Sequence[Do], owners: Mapping[str, frozenset[str]]) -> None:
        self._events, self._owners, self._too_early = events, owners, _too_early(body)

    def of(self, do: Do, state: State) -> tuple[str, ...]:
        """The optimizers whose gradients the event is about, in this state."""
        owner, alive = do.subject, self.alive(do, state)
        owned = tuple(name for name in alive if owner and owner in self._owners.get(name, ()))
        unscaled = tuple(name for name in alive if state.of(name).stage is Stage.UNSCALED)
        if owned:
            return tuple(name for name in owned if not self._shares(name, unscaled, do))
        return unscaled or alive

    def alive(self, do: Do, state: State) -> tuple[str, ...]:
        """The optimizers that still exist at an event."""
        alive = tuple(name for name in state.names() if _is_alive(name, do))
        return tuple(name for name in alive if id(do) not in self._too_early.get(name, ())) or alive

    def _shares(self, name: str, unscaled: tuple[str, ...], at: Do) -> bool:
        """Whether other objects of the same class, built over the same parameters, have unscaled the gradients."""
        owners, (_, _, place) = self._owners, name.partition(".")
        alike = any(owners.get(other) == owners[name] for other in unscaled if name not in unscaled)
        if alike and not any(_steps_by_scaler(do, name) and not _are_apart(do, at) for do in self._events):
            return True  # an optimizer of another phase, over the same parameters
        twins = (other for other in unscaled if name not in unscaled and other.partition(".")[2] == place)
        return bool(place) and any(owners.get(twin) == owners[name] for twin in twins)


def _too_early(body: Block) -> dict[str, frozenset[int]]:
    """Optimizer -> the events, by identity, in front of the place that builds it, where nothing uses it before."""
    unnamed, met, found = list[int](), set[str](), dict[str, frozenset[int]]()
    for node in every_node(body):
        if isinstance(node, Do):
            met.update(node.event.optimizers)
            unnamed += () if node.event.optimizers else (id(node),)
        elif isinstance(node, Fresh) and node.role is Role.OPTIMIZER and node.name not in met:
            met.add(node.name)
            found[node.name] = frozenset(unnamed)
    return found


def _steps_by_scaler(do: Do, name: str) -> bool:
    return do.event.kind is EventKind.SCALER_STEP and name in do.event.optimizers


def _are_apart(one: Do, other: Do) -> bool:
    """Whether two events lie in different loops of a routine, or in different calls that it makes: in two phases."""
    places = [_phase(do) for do in (one, other)]
    return all(places) and places[0] != places[1]


def _phase(do: Do) -> object:
    *calls, outermost = do.site.way()
    return outermost.loops[:1] or (outermost.span if calls else None)


def _is_alive(name: str, do: Do) -> bool:
    """Whether an optimizer still exists at an event: one that a call made for itself ends with the call."""
    root = re.split(r"[.\[]", name, maxsplit=1)[0]
    ways = (do.site.way(), do.site.origin.way() if do.site.origin is not None else ())
    return ":" not in root or any(root in site.names for way in ways for site in way)
