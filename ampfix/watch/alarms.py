"""What a watched run has to say: alarms, each once, and the codes of the protocol's violations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ampfix.protocol import EXPLANATIONS, Broken, Event, EventKind, Violation
from ampfix.rules import all_rules


@dataclass(frozen=True)
class Alarm:
    """Something wrong with the run.

    code: the rule whose bug it is, "" for a symptom whose cause is not known. step: the attempt that showed it first.
    evidence: figures, JSON-able. advice: what to do.
    """

    code: str
    name: str
    message: str
    path: str = ""
    line: int = 0
    step: int = 0
    evidence: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", {})}


class Alarms:
    """Collects alarms; each (code, name, place) is told once."""

    def __init__(self, tell: Callable[[Alarm], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, str, str, int]] = set()
        self.raised: list[Alarm] = []

    def raise_(self, alarm: Alarm) -> None:
        key = (alarm.code, alarm.name, alarm.path, alarm.line)
        if key not in self._told:
            self._told.add(key)
            self.raised.append(alarm)
            self._tell(alarm)


def rule_name(code: str) -> str:
    """The name of a rule, "" for an unknown code."""
    return next((rule.name for rule in all_rules() if rule.code == code), "")


def of_violation(broken: Broken, before: list[Event]) -> Alarm:
    """The alarm for a violation; `before` are the last events, oldest first, without the one that completes it."""
    code = _code_of(broken, before)
    event = _blamed(broken, before)
    return Alarm(
        code, rule_name(code), EXPLANATIONS[broken.violation], event.path, event.line, event.step,
        {"violation": broken.violation.value, "optimizer": broken.optimizer},
    )  # fmt: skip


_OF_AN_UPDATE = frozenset({Violation.UPDATE_BETWEEN_STEPS, Violation.UPDATE_BEFORE_STEP})


def _blamed(broken: Broken, before: list[Event]) -> Event:
    """The event to point at: an update() that came too early, rather than the step that finds its gradients spoilt."""
    if broken.violation not in _OF_AN_UPDATE:
        return broken.event
    at = _last_update(before, broken.event.scaler)
    return broken.event if at is None else replace(before[at], step=broken.event.step)


def _last(events: list[Event], wanted: Callable[[Event], bool]) -> int | None:
    """Where the last such event stands."""
    return next((at for at in reversed(range(len(events))) if wanted(events[at])), None)


def _last_update(events: list[Event], scaler: str | None) -> int | None:
    return _last(events, lambda event: event.kind is EventKind.UPDATE and event.scaler == scaler)


def _code_of(broken: Broken, before: list[Event]) -> str:
    """A violation that several rules stand for is told apart by what led to it."""
    rules = [rule for rule in all_rules() if broken.violation in rule.violations]
    if len(rules) == 1:
        return rules[0].code
    return _AMBIGUOUS.get(broken.violation, _unknown)(broken, before)


def _unknown(_broken: Broken, _before: list[Event]) -> str:
    return ""


def _mixed(broken: Broken, before: list[Event]) -> str:
    """A backward added to gradients that were there: left over from a step, or of another scaler."""
    if broken.event.scaler is None:
        return "AMP108"
    spoiling = _last(before, lambda event: replace(event, step=0) == replace(broken.event, step=0))
    held = _last(before[:spoiling], lambda event: broken.optimizer in event.optimizers and event.kind in _MOVES)
    if held is not None and before[held].kind is EventKind.BACKWARD and before[held].scaler != broken.event.scaler:
        return "AMP122"
    return "AMP123"


_MOVES = frozenset({EventKind.BACKWARD, EventKind.UNSCALE, EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP})
"""Events after which an optimizer's gradients are others, or have been used."""


def _no_inf_check(_broken: Broken, before: list[Event]) -> str:
    """update() without a step: behind each backward of a window, or twice behind one step."""
    for event in reversed(before):
        if event.kind is EventKind.BACKWARD:
            return "AMP110"
        if event.kind in (EventKind.SCALER_STEP, EventKind.UPDATE):
            return "AMP111"
    return "AMP110"


def _too_early(broken: Broken, before: list[Event]) -> str:
    """update() between unscale_ and its step: behind the step of another optimizer, or in front of all."""
    at = _last_update(before, broken.event.scaler)
    for event in reversed(before[:at]):
        if event.kind is EventKind.SCALER_STEP and event.scaler == broken.event.scaler:
            return "AMP111"
        if event.kind in (EventKind.BACKWARD, EventKind.UPDATE):
            break
    return "AMP112"


def _between(broken: Broken, before: list[Event]) -> str:
    """update() while gradients wait: those of another optimizer, or of the same window."""
    stepped = {name for event in before if event.kind is EventKind.SCALER_STEP for name in event.optimizers}
    return "AMP111" if len(stepped | {broken.optimizer or ""}) > 1 else "AMP110"


_AMBIGUOUS: dict[Violation, Callable[[Broken, list[Event]], str]] = {
    Violation.MIXED_GRADIENTS: _mixed,
    Violation.SCALER_NEVER_SCALED: lambda *_: "AMP108",
    Violation.STEP_ON_UNSCALED: lambda *_: "AMP108",
    Violation.UPDATE_WITHOUT_STEP: _no_inf_check,
    Violation.UPDATE_BETWEEN_STEPS: _between,
    Violation.UPDATE_BEFORE_STEP: _too_early,
    Violation.MISSING_UPDATE: lambda *_: "AMP109",
    Violation.WRONG_SCALER: lambda *_: "AMP122",
}
