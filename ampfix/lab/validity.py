"""Whether a scenario is valid: each claim of its scenario.toml against what check and execution showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ampfix.lab import witness
from ampfix.lab.causes import Status
from ampfix.lab.checks import Paired
from ampfix.lab.spec import AnswerSpec, ScenarioSpec
from ampfix.lab.verdict import CheckStatus, Verdict

REFERENCE, BROKEN, GOLD, CODEMOD, BROKEN_FP32 = "reference", "broken", "gold", "codemod", "broken_fp32"


def static_problems(spec: ScenarioSpec) -> Iterator[str]:
    """What `check` says about loop.py and fixed.py against what the scenario states."""
    stated = set(spec.broken.static)
    try:
        broken = witness.codes_found(spec.loop_files())
        gold = witness.codes_found(spec.gold_files())
    except ValueError as error:
        yield f"check cannot read the loop: {error}"
        return
    if missing := stated - broken:
        yield f"check does not report {_listed(missing)} in {spec.entry}"
    if spec.kind != "bug" and broken:
        yield f"check reports {_listed(broken)} in {spec.entry}, which has no precision bug"
    if wrong := gold if spec.kind == "decoy" else stated & gold:
        yield f"check reports {_listed(wrong)} in fixed.py"


def problems(spec: ScenarioSpec, verdicts: Mapping[str, Verdict], measured: Mapping[str, Paired]) -> Iterator[str]:
    """What execution showed against what the scenario states."""
    for variant in (REFERENCE, GOLD, CODEMOD):
        if variant in verdicts and verdicts[variant].status is not Status.PASS:
            yield f"{variant} does not pass: {said(verdicts[variant])}"
    yield from _broken_problems(spec, verdicts)
    yield from _runtime_problems(spec, measured)
    for answer in spec.answers:
        if answer.variant in verdicts:
            yield from _answer_problems(answer, verdicts[answer.variant])


def _broken_problems(spec: ScenarioSpec, verdicts: Mapping[str, Verdict]) -> Iterator[str]:
    if spec.kind == "control":
        if verdicts[BROKEN].status is not Status.PASS:
            yield f"{BROKEN} is a control and does not pass: {said(verdicts[BROKEN])}"
        return
    for variant in (BROKEN, BROKEN_FP32):
        if variant in verdicts and spec.broken.fails not in failing(verdicts[variant]):
            yield f"{variant} does not fail {spec.broken.fails}: {said(verdicts[variant])}"


def _runtime_problems(spec: ScenarioSpec, measured: Mapping[str, Paired]) -> Iterator[str]:
    stated = set(spec.broken.runtime)
    if spec.kind != "bug":
        for variant in {BROKEN, GOLD} & set(measured):
            if seen := _codes_seen(measured[variant]):
                yield f"the recorder sees {_listed(seen)} in {variant}, which has no precision bug"
    if BROKEN in measured and (missing := stated - _codes_seen(measured[BROKEN])):
        yield f"the recorder does not see {_listed(missing)} in {BROKEN}"
    if GOLD in measured and (wrong := stated & _codes_seen(measured[GOLD])):
        yield f"the recorder sees {_listed(wrong)} in {GOLD}"


def _answer_problems(answer: AnswerSpec, verdict: Verdict) -> Iterator[str]:
    if verdict.status.value != answer.expect:
        yield f"{answer.variant} is expected to {answer.expect}: {said(verdict)}"
        return
    if answer.check and answer.check not in failing(verdict):
        yield f"{answer.variant} is expected to fail {answer.check}: {said(verdict)}"
        return
    reasons = [(check.reason, check.detail) for check in verdict.checks if check.name == answer.check]
    if not answer.check:
        reasons = [(verdict.reason, verdict.detail)]
    if answer.reason and not any(matches(answer.reason, *pair) for pair in reasons):
        yield f"{answer.variant} is expected to fail for {answer.reason}: {said(verdict)}"


def matches(expected: str, reason: str, detail: str) -> bool:
    """Whether a reason is the expected one: its code, or code and start of its detail ("crashed: TypeError")."""
    return expected == reason or (":" in expected and f"{reason}: {detail}".startswith(expected))


def failing(verdict: Verdict) -> set[str]:
    """The checks that failed, required or not."""
    return {check.name for check in verdict.checks if check.status is CheckStatus.FAIL}


def said(verdict: Verdict) -> str:
    """A verdict in one line."""
    parts = [f"{check.name} {check.reason}".strip() for check in verdict.checks if check.decisive]
    wrong = ", ".join(parts) if verdict.status is Status.FAIL else verdict.reason
    detail = f" ({verdict.detail})" if verdict.detail else ""
    return f"{verdict.status.value}{': ' if wrong else ''}{wrong}{detail}"


def _codes_seen(runs: Paired) -> set[str]:
    return witness.codes_of(breach.violation for run in runs.answer for breach in run.breaches)


def _listed(codes: set[str]) -> str:
    return ", ".join(sorted(codes))
