"""What a watched run has to say: alarms, each once, and the codes of the protocol's violations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
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
    event = broken.event
    return Alarm(
        code, rule_name(code), EXPLANATIONS[broken.violation], event.path, event.line, event.step,
        {"violation": broken.violation.value, "optimizer": broken.optimizer},
    )  # fmt: skip


def _code_of(broken: Broken, before: list[Event]) -> str:
    """A violation that several rules stand for is told apart by what led to it."""
    rules = [rule for rule in all_rules() if broken.violation in rule.violations]
    if len(rules) == 1:
        return rules[0].code
    return _AMBIGUOUS.get(broken.violation, _unknown)(broken, before)


def _unknown(_broken: Broken, _before: list[Event]) -> str:
    return ""


def _mixed(broken: Broken, before: list[Event]) -> str:
    scalers = {event.scaler for event in before if event.kind is EventKind.BACKWARD and event.scaler is not None}
    if broken.event.scaler is None:
        return "AMP108"
    return "AMP122" if len(scalers | {broken.event.scaler}) > 1 else "AMP123"


def _no_inf_check(_broken: Broken, before: list[Event]) -> str:
    """update() without a step: behind each backward of a window, or twice behind one step."""
    for event in reversed(before):
        if event.kind is EventKind.BACKWARD:
            return "AMP110"
        if event.kind in (EventKind.SCALER_STEP, EventKind.UPDATE):
            return "AMP111"
    return "AMP110"


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
    Violation.UPDATE_BEFORE_STEP: lambda *_: "AMP112",
    Violation.MISSING_UPDATE: lambda *_: "AMP109",
    Violation.WRONG_SCALER: lambda *_: "AMP122",
}
