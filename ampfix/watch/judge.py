"""The protocol's verdict on a live run, event by event."""

from __future__ import annotations

from typing import Any

from ampfix.protocol import INITIAL, Broken, Event, State, Windows, advance

_MOST_STATES = 1024


class Judge:
    """Advances the protocol's state. A loop goes round in circles, so clean transitions are remembered: a transition
    depends on the state and the event, not on where the event lies or in which step."""

    def __init__(self) -> None:
        self.state = INITIAL
        self._states: dict[State, State] = {INITIAL: INITIAL}  # one object per value, so that ids are keys
        self._windows = Windows()
        self._clean: dict[tuple[Any, ...], State] = {}

    def __call__(self, event: Event) -> tuple[Broken, ...]:
        """What the event violates."""
        key = (
            id(self.state),
            event.kind,
            event.scaler,
            event.optimizers,
            event.outcome,
            event.dtype,
            event.linear,
            event.guarded,
            event.forced,
            event.manual_scale,
            event.scrubs,
        )
        known = self._clean.get(key)
        broken: tuple[Broken, ...] = ()
        if known is None:
            broken = self._advance(event, key)
        else:
            self.state = known
        return (*broken, *self._windows(event)) if event.kind in Windows.KINDS else broken

    def _advance(self, event: Event, key: tuple[Any, ...]) -> tuple[Broken, ...]:
        after, broken = advance(self.state, event)
        if len(self._states) >= _MOST_STATES:
            self._states.clear()
            self._clean.clear()
        elif not broken and _spoilt(after) == _spoilt(self.state):  # which event spoilt them is told by its place
            self._clean[key] = self._states.setdefault(after, after)
        self.state = self._states.setdefault(after, after)
        return broken


def _spoilt(state: State) -> list[object]:
    return [optimizer.spoilt for _, optimizer in state.optimizers]
