"""Accumulation windows of a concrete run: what each step's gradients were made of.

Two bugs leave every single event right and show only in how windows repeat: micro-batches that are cleared away unused,
and mean losses that are added up whole. Both are spoken of when two windows in a row look the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ampfix.protocol.events import Event, EventKind, Violation
from ampfix.protocol.state import Broken
from ampfix.records import dataclass, field

Place = tuple[str, int]


@dataclass
class _Window:
    """What one optimizer received since its last step.

    held: backwards whose gradients are there, discarded: those cleared unused, each by its place. divided: some
    gradient was divided, or a loss was. zeroed: the last event that cleared gradients unused. fresh: autocast regions
    entered between backwards, by which micro-batches differ from several losses of one forward.
    """

    held: list[Event] = field(default_factory=list)
    discarded: Counter[Place] = field(default_factory=Counter)
    divided: bool = False
    zeroed: Event | None = None
    regions: int = 0


class Windows:
    """Call with each event in order, of these `KINDS` at least; yields what the windows violate."""

    KINDS = frozenset(
        {EventKind.AUTOCAST_ENTER, EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP}
        | {EventKind.BACKWARD, EventKind.EDIT_GRAD, EventKind.ZERO_GRAD}
    )

    def __init__(self) -> None:
        self._open: dict[str, _Window] = {}
        self._before: dict[str, dict[Violation, tuple[Place, int]]] = {}
        self._entered = 0
        self._told: set[tuple[Violation, Place]] = set()

    def __call__(self, event: Event) -> Iterator[Broken]:
        if event.kind is EventKind.AUTOCAST_ENTER:
            self._entered += 1
        elif event.kind in (EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP):
            for optimizer in event.optimizers:
                yield from self._close(optimizer)
        elif event.kind in _INSIDE:
            for optimizer in event.optimizers:
                self._receive(self._open.setdefault(optimizer, _Window()), event)

    def _receive(self, window: _Window, event: Event) -> None:
        if event.kind is EventKind.BACKWARD:
            if not window.held or self._entered != window.regions:
                window.held.append(event)
            else:
                window.divided = True  # another loss of the same forward: not a window of micro-batches
            window.regions = self._entered
            window.divided |= not event.undivided
        elif event.kind is EventKind.EDIT_GRAD:
            window.divided = True
        else:
            if event.discards and window.held:
                window.discarded.update((held.path, held.line) for held in window.held)
                window.zeroed = event
            window.held = []

    def _close(self, optimizer: str) -> Iterator[Broken]:
        window = self._open.pop(optimizer, _Window())
        before, now = self._before.get(optimizer, {}), dict(_suspicions(window))
        self._before[optimizer] = {violation: fact for violation, (fact, _) in now.items()}
        for violation, (fact, event) in now.items():
            if before.get(violation) == fact and (violation, fact[0]) not in self._told:
                self._told.add((violation, fact[0]))
                yield Broken(violation, event, optimizer)


def _suspicions(window: _Window) -> Iterator[tuple[Violation, tuple[tuple[Place, int], Event]]]:
    """What would be wrong if it came again: the backward's place and how often it ran, and the event to point at."""
    places = {(held.path, held.line) for held in window.held}
    if len(places) != 1:
        return
    place = places.pop()
    if len(window.held) == 1 and window.zeroed is not None and window.discarded[place]:
        yield Violation.WINDOW_ZEROED, ((place, window.discarded[place]), window.zeroed)
    if len(window.held) > 1 and not window.divided and not window.discarded:
        yield Violation.WINDOW_UNDIVIDED, ((place, len(window.held)), window.held[-1])


_INSIDE = frozenset({EventKind.BACKWARD, EventKind.EDIT_GRAD, EventKind.ZERO_GRAD})
