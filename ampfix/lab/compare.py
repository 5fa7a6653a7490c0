"""A suite's result against its lock file: which verdicts changed, and the figures that explain it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from ampfix.lab.lockfile import Lock, LockedCheck, LockedScenario, LockedVariant, Range, check_outcome, outcome
from ampfix.lab.models import Model
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.suite import ScenarioReport, SuiteReport
from ampfix.lab.verdict import Check, Verdict

Kind = Literal["verdict", "check", "scenario", "drift"]

_SLACK = 0.5
"""A figure that leaves its calibrated range by half of that range's width is told as drift. The lock's range is that
of 64 seeds, the figure a median of a few: one run in a thousand leaves the range itself."""

_NARROWEST = 0.02
"""A range is taken to be at least this share of the threshold wide: two seeds that happen to agree prove nothing."""


class Change(Model):
    """One difference from the lock, explained in one line.

    kind: verdict or required check that came out differently, a scenario or variant that only one of the two knows,
    or drift: the outcome is as expected, the figure far from where it was calibrated. Drift fails nothing.
    """

    scenario_id: str
    variant: str = ""
    kind: Kind
    text: str

    @property
    def fails(self) -> bool:
        return self.kind != "drift"

    @property
    def line(self) -> str:
        return f"{' '.join(filter(None, (self.scenario_id, self.variant)))}: {self.text}"


class LockedReport(SuiteReport):
    """A suite's result that was held to a lock: the JSON root of `suite --locked`."""

    changes: tuple[Change, ...]


def held_to(report: SuiteReport, lock: Lock, specs: Sequence[ScenarioSpec], *, known: Sequence[str]) -> LockedReport:
    """The report with its differences from the lock; not ok where one fails. known: the ids of every scenario."""
    changes = tuple(compare(report, lock, specs, known=known))
    ok = report.ok and not any(change.fails for change in changes)
    return LockedReport(ok=ok, scenarios=report.scenarios, changes=changes)


def compare(
    report: SuiteReport, lock: Lock, specs: Sequence[ScenarioSpec], *, known: Sequence[str] = ()
) -> Iterator[Change]:
    """Every difference, in the report's order."""
    by_id = {spec.id: spec for spec in specs}
    for scenario in report.scenarios:
        entry = lock.scenarios.get(scenario.id)
        if entry is None:
            yield Change(scenario_id=scenario.id, kind="scenario", text="not in the lock: write it with --update")
        else:
            yield from _of_scenario(scenario, by_id[scenario.id], entry, lock)
    for name in sorted(set(lock.scenarios) - set(known)) if known else ():
        yield Change(scenario_id=name, kind="scenario", text="in the lock, and no such scenario is left")


def _of_scenario(scenario: ScenarioReport, spec: ScenarioSpec, entry: LockedScenario, lock: Lock) -> Iterator[Change]:
    verdicts: dict[tuple[str, int], Verdict] = {}
    for one in scenario.verdicts:
        verdicts.setdefault((one.variant, one.repeat), one.verdict)
    why = _circumstances(spec, entry, lock, next(iter(verdicts.values()), None))
    said = set()
    for (variant, _), verdict in verdicts.items():
        expected = entry.variants.get(variant)
        if expected is None:
            found: list[tuple[Kind, str]] = [
                ("scenario", f"{outcome(verdict.status.value, verdict.reason)}, and the lock does not know it")
            ]
        else:
            found = list(_of_variant(verdict, expected))
        for kind, text in found:
            change = Change(
                scenario_id=scenario.id, variant=variant, kind=kind, text=text + ("" if kind == "drift" else why)
            )
            if change.line not in said:
                said.add(change.line)
                yield change
    answered = any(variant.startswith("answer:") for variant, _ in verdicts)
    for variant in entry.variants:
        if not any(variant == seen for seen, _ in verdicts) and (answered or not variant.startswith("answer:")):
            yield Change(scenario_id=scenario.id, variant=variant, kind="scenario", text="in the lock, and did not run")


def _of_variant(verdict: Verdict, expected: LockedVariant) -> Iterator[tuple[Kind, str]]:
    now = outcome(verdict.status.value, verdict.reason)
    moved = list(_moved_checks(verdict.checks, expected.checks))
    if now not in expected.outcomes:
        because = "; ".join(text for _, text in moved) or verdict.detail or "no check changed"
        yield "verdict", f"{_listed(expected.outcomes)} -> {now}: {because}"
        return
    yield from (("check", text) for required, text in moved if required)
    for check in verdict.checks:
        locked = expected.checks.get(check.name)
        if locked is not None and check_outcome(check) in locked.outcomes and (text := _drift(check, locked)):
            yield "drift", text


def _moved_checks(checks: Sequence[Check], expected: Mapping[str, LockedCheck]) -> Iterator[tuple[bool, str]]:
    """(whether it is required, what happened) of each check that came out differently."""
    for check in checks:
        locked = expected.get(check.name)
        if locked is None:
            yield check.required, f"{check.name} {check_outcome(check)}, and the lock does not know it"
        elif check_outcome(check) not in locked.outcomes:
            was_now = f"{check.name} {_listed(locked.outcomes)} -> {check_outcome(check)}"
            yield check.required, f"{was_now} ({_figures(check, locked)})"
    for name in sorted(set(expected) - {check.name for check in checks} if checks else ()):
        yield expected[name].required, f"{name} is in the lock, and was not asked for"


def _figures(check: Check, locked: LockedCheck) -> str:
    parts = [f"measured {_number(check.measured)} now"]
    if locked.measured is not None:
        parts.append(f"{_range(locked.measured)} then")
    if locked.calibrated is not None:
        parts.append(f"calibrated {_range(locked.calibrated)}")
    if check.threshold is not None:
        changed = locked.threshold is not None and locked.threshold != check.threshold
        parts.append(f"threshold {check.threshold:g}" + (f", then {locked.threshold:g}" if changed else ""))
    return ", ".join(parts) + (f": {check.detail}" if check.detail else "")


def _drift(check: Check, locked: LockedCheck) -> str:
    if check.measured is None or locked.calibrated is None or None in locked.calibrated:
        return ""
    low, high = locked.calibrated
    assert low is not None and high is not None
    width = max(high - low, _NARROWEST * abs(check.threshold or 0.0))
    if low - _SLACK * width <= check.measured <= high + _SLACK * width:
        return ""
    return f"{check.name} drifts: {_figures(check, locked)}"


def _circumstances(spec: ScenarioSpec, entry: LockedScenario, lock: Lock, verdict: Verdict | None) -> str:
    """What else is different, in brackets; empty where nothing is."""
    differences = []
    if spec.content_hash != entry.content_sha256:
        differences.append("the scenario's files changed since the lock was written")
    for name, version in (verdict.versions if verdict else {}).items():
        if lock.versions.get(name) != version:
            differences.append(f"{name} {lock.versions.get(name)} then, {version} now")
    return f" [{'; '.join(differences)}]" if differences else ""


def _listed(outcomes: Sequence[str]) -> str:
    return " or ".join(outcomes)


def _range(values: Range) -> str:
    low, high = map(_number, values)
    return low if low == high else f"{low} to {high}"


def _number(value: float | None) -> str:
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.4g}"
