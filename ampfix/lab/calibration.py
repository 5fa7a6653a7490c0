"""Whether a scenario's thresholds separate right from wrong, measured on many fresh seeds and kept as calibration.json.

For each numeric check: the distributions of gold and of the broken loop, and their margins to the threshold.
A scenario is refused where gold's worst seed, or the broken loop's best, lies within a factor 2 of the threshold.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ampfix.lab.assembly import versions
from ampfix.lab.bench import Bench
from ampfix.lab.checks import Paired, loss_gap, skipped_share
from ampfix.lab.checkspec import Aligned, CheckSpec, Converges, HalfPrecision, NotFp32, SkippedSteps, Trajectory
from ampfix.lab.models import Document, Model
from ampfix.lab.runner import Runner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Session, by_seed
from ampfix.lab.spec import CALIBRATION_FILE, ScenarioSpec

SEEDS = 64
MARGIN = 2.0
_DIGITS = 4

Side = Literal["at_most", "at_least"]


@dataclass(frozen=True)
class Scale:
    """How one check is read off a single seed: its figure, its threshold, and the side on which gold must lie."""

    figure: Callable[[Paired], float | None]
    threshold: float
    side: Side

    def margin(self, values: Sequence[float], right: bool) -> float:
        """The factor between the threshold and the value nearest to it; below 1 where that is on the wrong side.

        right: the values are to lie on gold's side, else beyond the threshold.
        """
        below = (self.side == "at_most") == right
        nearest = max(values) if below else min(values)
        if below:
            return math.inf if nearest <= 0 else self.threshold / nearest
        return nearest / self.threshold if self.threshold > 0 else (math.inf if nearest > 0 else 0.0)


class Distribution(Model):
    """A figure over the seeds: its extremes and median, and every value in order. None stands for one not finite."""

    minimum: float | None
    median: float | None
    maximum: float | None
    values: tuple[float | None, ...]


class CheckCalibration(Model):
    """One check. Margins are factors to the threshold; None where there is no limit to them."""

    name: str
    threshold: float
    side: Side
    gold: Distribution
    broken: Distribution
    gold_margin: float | None
    broken_margin: float | None


class Calibration(Document):
    """The JSON root of calibration.json."""

    scenario_id: str
    content_sha256: str
    seeds: int
    policy: str
    profile: str
    versions: dict[str, str]
    checks: tuple[CheckCalibration, ...]
    problems: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """What people read: one line for each check, then one for each problem."""
        for check in self.checks:
            gold, broken = (f"{d.minimum} .. {d.maximum}" for d in (check.gold, check.broken))
            side = check.side.replace("_", " ")
            yield f"{check.name}: gold {gold}, broken {broken}, threshold {side} {check.threshold} ({self.seeds} seeds)"
        for problem in self.problems:
            yield f"refused: {problem}"


def calibrate(spec: ScenarioSpec, *, runner: Runner, seeds: int = SEEDS) -> Calibration:
    """Run gold and the broken loop on fresh seeds and write calibration.json, unless the margins are bad.

    Raises InfraError where a run could not be judged.
    """
    fresh = spec.model_copy(update={"seeds": tuple(range(seeds))})
    with Bench(runner) as bench:
        session = Session(bench, fresh, new_secret())
        broken = session.run(spec.loop_files())
        gold = session.paired(session.run(spec.gold_files()), broken)
        wrong = session.paired(broken, broken)
    measured = [_calibrated(name, scale, gold, wrong) for name, scale in _scales(spec)]
    result = Calibration(
        scenario_id=spec.id,
        content_sha256=spec.content_hash,
        seeds=seeds,
        policy=runner.policy,
        profile=spec.device.profile,
        versions=versions(),
        checks=tuple(measured),
        problems=tuple(_problems(spec, measured, gold)),
    )
    if not result.problems:
        write(result, spec.root / CALIBRATION_FILE)
    return result


def write(calibration: Calibration, path: Path) -> None:
    """Write a calibration in one move."""
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(calibration.to_json() + "\n")
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _scales(spec: ScenarioSpec) -> Iterator[tuple[str, Scale]]:
    for check in spec.all_checks:
        scale = _scale(check)
        if scale is not None:
            yield check.name, scale


def _scale(check: CheckSpec) -> Scale | None:
    """How a check is read off one seed; None where it has no threshold that execution on this device could move."""
    match check:
        case Converges():
            return Scale(lambda runs: loss_gap(check, runs), check.max_gap, "at_most")
        case Trajectory():
            return Scale(lambda runs: runs.answer[0].trajectory, check.max_distance, "at_most")
        case NotFp32():
            return Scale(lambda runs: runs.answer[0].fp32_distance, check.min_distance, "at_least")
        case HalfPrecision() if check.max_share < 1:
            return Scale(lambda runs: runs.answer[0].half_share, check.max_share, "at_most")
        case HalfPrecision():
            return Scale(lambda runs: runs.answer[0].half_share, check.min_share, "at_least")
        case Aligned():
            return Scale(lambda runs: runs.answer[0].aligned, check.min_share, "at_least")
        case SkippedSteps():
            return Scale(lambda runs: skipped_share(runs.answer[0]), check.max_share, "at_most")
        case _:
            return None


def _calibrated(name: str, scale: Scale, gold: Paired, broken: Paired) -> CheckCalibration:
    right, wrong = ([_known(scale.figure(one)) for one in by_seed(runs)] for runs in (gold, broken))
    return CheckCalibration(
        name=name,
        threshold=scale.threshold,
        side=scale.side,
        gold=_distribution(right),
        broken=_distribution(wrong),
        gold_margin=_rounded(scale.margin(right, right=True)),
        broken_margin=_rounded(scale.margin(wrong, right=False)),
    )


def _known(value: float | None) -> float:
    """NaN and what could not be measured count as the worst there is."""
    return math.inf if value is None or math.isnan(value) else value


def _distribution(values: Sequence[float]) -> Distribution:
    ordered = sorted(values)
    return Distribution(
        minimum=_rounded(ordered[0]),
        median=_rounded(ordered[len(ordered) // 2]),
        maximum=_rounded(ordered[-1]),
        values=tuple(_rounded(value) for value in ordered),
    )


def _rounded(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _problems(spec: ScenarioSpec, checks: Sequence[CheckCalibration], gold: Paired) -> Iterator[str]:
    bad = [run for run in gold.answer if run.ended or run.weights]
    if bad:
        cause = bad[0].ended or bad[0].weights
        assert cause is not None
        yield f"gold does not run on {len(bad)} of {len(gold.answer)} seeds: {cause.cause} {cause.detail}"
    required = {check.name for check in spec.all_checks if check.required}
    for check in checks:
        if check.name in required and check.gold_margin is not None and check.gold_margin < MARGIN:
            yield _too_near(check, "gold's worst seed", check.gold_margin)
        decides = spec.kind != "control" and check.name == spec.broken.fails
        if decides and check.broken_margin is not None and check.broken_margin < MARGIN:
            yield _too_near(check, "the broken loop's best seed", check.broken_margin)


def _too_near(check: CheckCalibration, which: str, margin: float) -> str:
    return (
        f"{check.name}: {which} is a factor {margin:.2f} from the threshold {check.threshold}, "
        f"and {MARGIN:g} is asked: lengthen the scenario"
    )
