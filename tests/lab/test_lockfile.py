"""The lock file: what it keeps, what it refuses to keep, and that it comes back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab import lockfile
from ampfix.lab.causes import Status
from ampfix.lab.lockfile import Lock, LockedCheck, LockedScenario, LockedVariant, LockError
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.suite import VariantVerdict

from . import reports

NAMES = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
RANGES = st.none() | st.tuples(NUMBERS, NUMBERS)
OUTCOMES = st.lists(st.sampled_from(["pass", "not_measured", "fail: crashed"]), min_size=1, unique=True).map(tuple)
CHECKS = st.builds(
    LockedCheck, outcomes=OUTCOMES, required=st.booleans(), measured=RANGES, threshold=NUMBERS, calibrated=RANGES
)
VARIANTS = st.builds(LockedVariant, outcomes=OUTCOMES, checks=st.dictionaries(NAMES, CHECKS, max_size=3))
SCENARIOS = st.builds(
    LockedScenario,
    content_sha256=st.text("0123456789abcdef", min_size=8, max_size=8),
    cost_s=st.floats(0, 1e6),
    variants=st.dictionaries(NAMES, VARIANTS, max_size=3),
)
LOCKS = st.builds(
    Lock,
    versions=st.dictionaries(st.sampled_from(["torch", "python"]), st.text(max_size=8)),
    policy=st.just("cuda"),
    device=st.just("cpu"),
    scenarios=st.dictionaries(NAMES, SCENARIOS, max_size=3),
)


@given(lock=LOCKS)
def test_what_is_written_is_read_again(lock: Lock, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lock") / "scenarios.lock"
    lockfile.write(lock, path)
    assert lockfile.read(path) == lock
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == 1


def test_order_comes_from_names_alone_and_each_check_has_its_line(tmp_path: Path, toy: ScenarioSpec) -> None:
    lock = lockfile.locked(reports.usual(), [toy])
    turned = lock.model_copy(update={"scenarios": {"toy": lock.scenarios["toy"].model_copy(
        update={"variants": dict(reversed(lock.scenarios["toy"].variants.items()))}
    )}})  # fmt: skip
    texts = []
    for name, one in (("a", lock), ("b", turned)):
        lockfile.write(one, tmp_path / name)
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1] and texts[0].startswith('{\n  "schema": 1,')
    assert sum('"outcomes"' in line and '"converges"' in line for line in texts[0].splitlines()) == 4


def test_an_outcome_that_differs_between_repeats_is_kept_as_both(toy: ScenarioSpec) -> None:
    first = reports.scenario({"gold": reports.verdict(reports.passing(measured=0.2))})
    second = VariantVerdict(variant="gold", repeat=1, verdict=reports.verdict(reports.failing(measured=0.3)))
    both = first.model_copy(update={"verdicts": (*first.verdicts, second)})
    gold = lockfile.locked(reports.suite(both), [toy]).scenarios["toy"].variants["gold"]
    assert gold.outcomes == ("fail: loss_too_high", "pass")
    assert gold.checks["converges"].measured == (0.2, 0.3)


def test_the_cost_is_that_of_one_repeat(toy: ScenarioSpec) -> None:
    once = reports.usual().scenarios[0]
    again = tuple(one.model_copy(update={"repeat": 1}) for one in once.verdicts)
    twice = once.model_copy(update={"verdicts": (*once.verdicts, *again)})
    costs = [lockfile.locked(reports.suite(one), [toy]).scenarios["toy"].cost_s for one in (once, twice)]
    assert costs == [8.0, 8.0]


def test_calibrated_ranges_are_kept_for_gold_and_broken_alone(toy: ScenarioSpec, tmp_path: Path) -> None:
    for name in ("task.py", "loop.py", "fixed.py"):
        (tmp_path / name).write_text((toy.root / name).read_text())
    spec = toy.model_copy(update={"root": tmp_path})
    side = {"minimum": 0.0, "median": 0.1, "maximum": 0.2, "values": [0.0, 0.1, 0.2]}
    worse = {"minimum": 0.9, "median": 1.0, "maximum": None, "values": [0.9, 1.0, None]}
    check = {"name": "converges", "threshold": 0.25, "side": "at_most", "gold": side, "broken": worse}
    calibration = {
        "schema": 1, "scenario_id": "toy", "content_sha256": spec.content_hash, "seeds": 3, "policy": "cuda",
        "profile": "A100", "versions": {}, "checks": [check | {"gold_margin": 2, "broken_margin": 4}], "problems": [],
    }  # fmt: skip
    (tmp_path / "calibration.json").write_text(json.dumps(calibration))
    variants = lockfile.locked(reports.usual(), [spec]).scenarios["toy"].variants
    ranges = {name: variant.checks["converges"].calibrated for name, variant in variants.items()}
    assert ranges == {"gold": (0.0, 0.2), "broken": (0.9, None), "answer:right": None, "answer:wrong": None}
    (tmp_path / "loop.py").write_text("pass\n")
    stale = lockfile.locked(reports.usual(), [spec]).scenarios["toy"].variants["gold"]
    assert stale.checks["converges"].calibrated is None, "measured on other files"


def test_only_a_valid_and_judged_run_is_kept(toy: ScenarioSpec) -> None:
    invalid = reports.scenario({"gold": reports.verdict(reports.failing())}, valid=False, problems=("gold fails",))
    broke = reports.verdict(status=Status.INFRA_ERROR, reason="server_died", trust=None)
    for report in (reports.suite(invalid), reports.usual(gold=broke), reports.suite()):
        with pytest.raises(LockError, match="nothing written") as raised:
            lockfile.locked(report, [toy])
        assert "\n" not in str(raised.value)


def test_a_part_is_merged_into_a_whole_of_the_same_circumstances_alone(toy: ScenarioSpec) -> None:
    part = lockfile.locked(reports.usual(), [toy])
    other = part.scenarios["toy"].model_copy(update={"cost_s": 1.0})
    whole = part.model_copy(update={"scenarios": {"toy": other, "second": other, "gone": other}})
    merged = lockfile.merged(whole, part, ["toy", "second"])
    assert set(merged.scenarios) == {"toy", "second"}
    with pytest.raises(LockError, match="second missing"):
        lockfile.merged(None, part, ["toy", "second"])
    assert lockfile.merged(None, part, ["toy"]) == part
    for change in ({"versions": {"torch": "2.4.0"}}, {"policy": "native"}, {"device": "cuda"}):
        with pytest.raises(LockError, match="run --update on all"):
            lockfile.merged(whole.model_copy(update=change), part, ["toy", "second"])


def test_fresh_seeds_alone_change_no_line(toy: ScenarioSpec) -> None:
    old = lockfile.locked(reports.usual(), [toy])
    new = lockfile.locked(reports.usual(gold=reports.verdict(reports.passing(measured=0.02), wall_s=9.0)), [toy])
    assert new != old and lockfile.merged(old, new, ["toy"]) == old
    changed = lockfile.locked(reports.usual(gold=reports.verdict(reports.passing(threshold=0.3))), [toy])
    assert lockfile.merged(old, changed, ["toy"]) == changed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1, "scenarios": 3}', "\xff"])
def test_what_is_no_lock_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scenarios.lock"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(LockError) as raised:
        lockfile.read(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_no_file_is_no_lock(tmp_path: Path) -> None:
    assert lockfile.read(tmp_path / "scenarios.lock") is None


def test_a_lock_that_cannot_be_written_is_told(toy: ScenarioSpec, tmp_path: Path) -> None:
    with pytest.raises(LockError, match="cannot be written"):
        lockfile.write(lockfile.locked(reports.usual(), [toy]), tmp_path / "missing" / "scenarios.lock")
