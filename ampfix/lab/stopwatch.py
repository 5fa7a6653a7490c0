"""Times loops on a GPU: one jailed run at a time, arms interleaved, by the clock of the jail's supervisor."""

from __future__ import annotations

import math
import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path

from ampfix.lab.bench import Files, write_files
from ampfix.lab.causes import InfraError
from ampfix.lab.checkspec import Speedup
from ampfix.lab.models import Model
from ampfix.lab.runner import Inputs, Precision, Runner
from ampfix.lab.scratch import scratch_folder
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.timing import Timing, interleaved

WARM_UP = 20
"""Steps before the clock starts: kernels are chosen, caches filled and the loss scale has settled."""
ROUNDS = 3
"""Each gives two passes. A run costs seconds of start-up for every second that it times."""

_FP32, _TF32 = "fp32", "tf32"


class Sample(Model):
    """One timed run. step_s: seconds a step, None where it was not timed to the end; loss: held-out."""

    step_s: float | None
    loss: float | None = None
    problem: str = ""


def is_wanted(spec: ScenarioSpec, runner: Runner) -> bool:
    """Whether this scenario's loops are to be timed, and can be with this runner."""
    return runner.can_time and any(isinstance(check, Speedup) for check in spec.all_checks)


def time_loops(
    runner: Runner,
    spec: ScenarioSpec,
    seed: int,
    loops: Mapping[str, Files],
    *,
    warm_up: int = WARM_UP,
    rounds: int = ROUNDS,
) -> dict[str, Timing]:
    """Time several loops and the fp32 reference in both its precisions, all interleaved. Nothing else may run.

    A fault of the lab's own in one run leaves every loop untimed, with the reason.
    """
    arms: dict[str, tuple[Files, Precision]] = {_FP32: (spec.gold_files(), "fp32"), _TF32: (spec.gold_files(), "tf32")}
    arms |= {f"loop:{name}": (files, "as_written") for name, files in loops.items()}
    try:
        with scratch_folder() as folder:
            inputs = runner.prepare_timed(spec, seed, folder / "inputs", warm_up)
            runs = _Runs(runner, spec, inputs, folder)
            samples: dict[str, list[Sample]] = {arm: [] for arm in arms}
            for arm in interleaved(tuple(arms), rounds):
                samples[arm].append(runs.sample(*arms[arm], timed_steps=spec.steps - warm_up))
    except InfraError as error:
        return {name: Timing(problem=f"not timed: {error}") for name in loops}
    return {name: timing_of(samples[f"loop:{name}"], samples[_FP32], samples[_TF32]) for name in loops}


class _Runs:
    """Timed runs on one seed's inputs, each in fresh folders."""

    def __init__(self, runner: Runner, spec: ScenarioSpec, inputs: Inputs, folder: Path) -> None:
        self._runner, self._spec, self._inputs, self._folder = runner, spec, inputs, folder

    def sample(self, files: Files, precision: Precision, timed_steps: int) -> Sample:
        answer, out = self._folder / "answer", self._folder / "out"
        write_files(answer, files)
        try:
            execution = self._runner.time_steps(self._spec, answer, self._inputs, out, precision)
            if execution.outcome != "exited" or execution.timed_s is None:
                return Sample(step_s=None, problem=execution.detail)
            found = self._runner.judge(self._inputs, out, None)
            if found["problem"]:
                return Sample(step_s=None, problem=found["detail"])
            return Sample(step_s=execution.timed_s / timed_steps, loss=found["loss"])
        finally:
            for path in (answer, out):
                shutil.rmtree(path, ignore_errors=True)


def timing_of(answer: list[Sample], fp32: list[Sample], tf32: list[Sample]) -> Timing:
    """The samples as a Timing; where any run of the three arms was not timed, only the reason."""
    for name, samples in (("the loop", answer), ("the fp32 reference", fp32), ("the TF32 reference", tf32)):
        for sample in samples:
            if sample.step_s is None or sample.step_s <= 0:
                return Timing(problem=f"{name} was not timed to its end: {sample.problem or 'no weights arrived'}")
    return Timing(
        answer=_seconds(answer), fp32=_seconds(fp32), tf32=_seconds(tf32), loss_ratio=_loss_ratio(answer, fp32)
    )


def _seconds(samples: list[Sample]) -> tuple[float, ...]:
    return tuple(sample.step_s for sample in samples if sample.step_s is not None)


def _loss_ratio(answer: list[Sample], fp32: list[Sample]) -> float | None:
    ratios = [
        one.loss / base.loss if math.isfinite(one.loss) else math.inf
        for one, base in zip(answer, fp32, strict=True)
        if one.loss is not None and base.loss
    ]
    return statistics.median(ratios) if ratios else None
