"""Margins: how far gold and the broken loop lie from a threshold, and when a scenario is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.calibration import MARGIN, Scale, calibrate, write
from ampfix.lab.process import ProcessRunner
from ampfix.lab.seeds import new_secret, run_seed
from ampfix.lab.spec import ScenarioSpec

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)


def scale(side: str, threshold: float) -> Scale:
    return Scale(lambda _runs: None, threshold, side)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("side", "right", "values", "margin"),
    [
        ("at_most", True, [0.1, 0.05, -1.0], 2.5),
        ("at_most", True, [-0.1, 0.0], math.inf),
        ("at_most", True, [0.5], 0.5),
        ("at_most", False, [1.0, 2.0], 4.0),
        ("at_most", False, [math.inf, 0.125], 0.5),
        ("at_least", True, [0.5, 1.0], 2.0),
        ("at_least", False, [0.0], math.inf),
    ],
)
def test_the_margin_is_the_factor_to_the_nearest_value(
    side: str, right: bool, values: list[float], margin: float
) -> None:
    assert scale(side, 0.25).margin(values, right) == pytest.approx(margin)


@given(POSITIVE, POSITIVE, st.sampled_from(["at_most", "at_least"]), st.booleans())
def test_a_margin_above_one_means_the_right_side(threshold: float, value: float, side: str, right: bool) -> None:
    margin = scale(side, threshold).margin([value], right)
    below = value <= threshold
    assert (margin >= 1) == (below if (side == "at_most") == right else not below) or value == threshold


def test_a_scenario_with_good_margins_is_written(
    tmp_path: Path, toy: ScenarioSpec, runner: ProcessRunner, copied: Callable[[Path], ScenarioSpec]
) -> None:
    spec = copied(tmp_path)
    result = calibrate(spec, runner=runner, seeds=3)
    written = json.loads((tmp_path / "calibration.json").read_text())
    assert result.problems == () and written["seeds"] == 3
    by_name = {check["name"]: check for check in written["checks"]}
    assert by_name["converges"]["broken"]["median"] == pytest.approx(1.0)
    assert by_name["converges"]["broken_margin"] >= MARGIN


def test_a_scenario_with_bad_margins_is_refused_and_nothing_written(
    tmp_path: Path, runner: ProcessRunner, copied: Callable[[Path], ScenarioSpec]
) -> None:
    spec = copied(tmp_path)
    tight = [check.model_copy(update={"max_gap": 0.9}) if check.name == "converges" else check for check in spec.checks]
    result = calibrate(spec.model_copy(update={"checks": tuple(tight)}), runner=runner, seeds=2)
    (problem,) = result.problems
    assert problem.startswith("converges: the broken loop's best seed is a factor 1.1") and "\n" not in problem
    assert not (tmp_path / "calibration.json").exists()


@pytest.fixture
def copied(toy: ScenarioSpec) -> Callable[[Path], ScenarioSpec]:
    def copy(folder: Path) -> ScenarioSpec:
        for name in ("task.py", "loop.py", "fixed.py"):
            (folder / name).write_text((toy.root / name).read_text())
        return toy.model_copy(update={"root": folder})

    return copy


def test_a_failed_write_leaves_the_old_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "calibration.json"
    path.write_text("old")

    class Broken:
        def to_json(self) -> str:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(Broken(), path)  # type: ignore[arg-type]
    assert (path.read_text(), [one.name for one in tmp_path.iterdir()]) == ("old", ["calibration.json"])


def test_seeds_of_one_secret_differ_and_can_be_had_again() -> None:
    secret = new_secret()
    seeds = [run_seed(secret, scenario, index) for scenario in ("a", "b") for index in range(50)]
    assert len(set(seeds)) == 100 and all(0 <= seed < 1 << 48 for seed in seeds)
    assert seeds[0] == run_seed(secret, "a", 0) != run_seed(new_secret(), "a", 0)
