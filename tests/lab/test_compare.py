"""Differences from the lock: what counts as one, and that each is explained by its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ampfix.lab import lockfile
from ampfix.lab.compare import compare, held_to
from ampfix.lab.lockfile import Lock
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.suite import SuiteReport
from ampfix.lab.verdict import CheckStatus

from . import reports


@pytest.fixture
def toy(toy: ScenarioSpec, tmp_path: Path) -> ScenarioSpec:
    """The toy scenario before it was calibrated."""
    for name in ("task.py", "loop.py", "fixed.py"):
        (tmp_path / name).write_text((toy.root / name).read_text())
    return toy.model_copy(update={"root": tmp_path})


@pytest.fixture
def lock(toy: ScenarioSpec) -> Lock:
    return lockfile.locked(reports.usual(), [toy])


def lines(report: SuiteReport, lock: Lock, toy: ScenarioSpec, **options: Any) -> list[str]:
    return [f"{change.kind} {change.line}" for change in compare(report, lock, [toy], **options)]


def test_the_same_outcomes_are_no_change_whatever_was_measured(lock: Lock, toy: ScenarioSpec) -> None:
    other = reports.usual(gold=reports.verdict(reports.passing(measured=0.2)))
    assert lines(other, lock, toy) == []
    assert held_to(other, lock, [toy], known=["toy"]).ok


def test_a_changed_verdict_is_explained_by_its_figure(lock: Lock, toy: ScenarioSpec) -> None:
    worse = reports.usual(gold=reports.verdict(reports.failing(measured=0.61, detail="held-out loss 3 instead of 1")))
    (line,) = lines(worse, lock, toy)
    assert line == (
        "verdict toy gold: pass -> fail: loss_too_high: converges pass -> fail: loss_too_high "
        "(measured 0.61 now, 0.01 then, threshold 0.25: held-out loss 3 instead of 1)"
    )
    assert not held_to(worse, lock, [toy], known=["toy"]).ok


def test_another_reason_for_the_same_status_is_a_change(lock: Lock, toy: ScenarioSpec) -> None:
    other = reports.usual(broken=reports.verdict(reports.failing(measured=None, reason="not_finite")))
    (line,) = lines(other, lock, toy)
    assert "fail: loss_too_high -> fail: not_finite" in line and "measured not finite now" in line


def test_a_required_check_counts_behind_an_unchanged_verdict_and_an_optional_one_does_not(toy: ScenarioSpec) -> None:
    both = [reports.failing(), reports.passing("protocol"), reports.passing("skipped_steps", required=False)]
    lock = lockfile.locked(reports.usual(broken=reports.verdict(*both)), [toy])
    silent = reports.passing("skipped_steps", status=CheckStatus.FAIL, reason="too_many_skips", required=False)
    assert lines(reports.usual(broken=reports.verdict(*both[:2], silent)), lock, toy) == []
    unknown = reports.passing("protocol", None, status=CheckStatus.NOT_MEASURED)
    (line,) = lines(reports.usual(broken=reports.verdict(both[0], unknown, both[2])), lock, toy)
    assert line.startswith("check toy broken: protocol pass -> not_measured")
    (line,) = lines(reports.usual(broken=reports.verdict(both[0], both[2])), lock, toy)
    assert line == "check toy broken: protocol is in the lock, and was not asked for"


def test_a_moved_threshold_is_named(lock: Lock, toy: ScenarioSpec) -> None:
    (line,) = lines(reports.usual(gold=reports.verdict(reports.failing(measured=0.01, threshold=0.005))), lock, toy)
    assert "threshold 0.005, then 0.25" in line


def test_what_else_changed_stands_behind_it(lock: Lock, toy: ScenarioSpec) -> None:
    entry = lock.scenarios["toy"].model_copy(update={"content_sha256": "0" * 64})
    old = lock.model_copy(update={"versions": lock.versions | {"torch": "2.4.0"}, "scenarios": {"toy": entry}})
    (line,) = lines(reports.usual(gold=reports.verdict(reports.failing())), old, toy)
    assert line.endswith("[the scenario's files changed since the lock was written; torch 2.4.0 then, 2.13.0 now]")
    assert lines(reports.usual(), old, toy) == [], "other circumstances alone are no change"


def test_a_figure_far_from_where_it_was_calibrated_is_drift_and_fails_nothing(lock: Lock, toy: ScenarioSpec) -> None:
    gold = lock.scenarios["toy"].variants["gold"]
    check = gold.checks["converges"].model_copy(update={"calibrated": (-0.01, 0.02)})
    variants = lock.scenarios["toy"].variants | {"gold": gold.model_copy(update={"checks": {"converges": check}})}
    known = lock.model_copy(
        update={"scenarios": {"toy": lock.scenarios["toy"].model_copy(update={"variants": variants})}}
    )
    (line,) = lines(reports.usual(gold=reports.verdict(reports.passing(measured=0.2))), known, toy)
    assert line.startswith("drift toy gold: converges drifts: measured 0.2 now, 0.01 then, calibrated -0.01 to 0.02")
    assert held_to(reports.usual(gold=reports.verdict(reports.passing(measured=0.2))), known, [toy], known=["toy"]).ok
    for near in (-0.024, 0.034):
        assert lines(reports.usual(gold=reports.verdict(reports.passing(measured=near))), known, toy) == []


def test_answers_are_missed_only_where_answers_ran(lock: Lock, toy: ScenarioSpec) -> None:
    verdicts = {one.variant: one.verdict for one in reports.usual().scenarios[0].verdicts}
    loops = {name: one for name, one in verdicts.items() if not name.startswith("answer:")}
    assert lines(reports.suite(reports.scenario(loops)), lock, toy) == []
    one_answer = loops | {"answer:right": verdicts["answer:right"]}
    assert lines(reports.suite(reports.scenario(one_answer)), lock, toy) == [
        "scenario toy answer:wrong: in the lock, and did not run"
    ]
    new = verdicts | {"answer:new": verdicts["answer:right"]}
    assert lines(reports.suite(reports.scenario(new)), lock, toy) == [
        "scenario toy answer:new: pass, and the lock does not know it"
    ]


def test_a_scenario_that_only_one_side_knows_is_told(lock: Lock, toy: ScenarioSpec) -> None:
    empty = lock.model_copy(update={"scenarios": {}})
    assert lines(reports.usual(), empty, toy) == ["scenario toy: not in the lock: write it with --update"]
    two = lock.model_copy(update={"scenarios": lock.scenarios | {"gone": lock.scenarios["toy"]}})
    assert lines(reports.usual(), two, toy) == [], "a part of the suite ran"
    assert lines(reports.usual(), two, toy, known=["toy"]) == [
        "scenario gone: in the lock, and no such scenario is left"
    ]


def test_the_same_change_in_several_repeats_is_told_once(lock: Lock, toy: ScenarioSpec) -> None:
    worse = reports.usual(gold=reports.verdict(reports.failing())).scenarios[0]
    again = tuple(one.model_copy(update={"repeat": 1}) for one in worse.verdicts)
    assert len(lines(reports.suite(worse.model_copy(update={"verdicts": (*worse.verdicts, *again)})), lock, toy)) == 1
