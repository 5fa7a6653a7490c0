"""The checks of a verdict: one function for each, from measurements to a Check.

Every statistic is a median over the seeds, each seed paired with the reference and the broken loop on the same seed.
A run that did not end, or left weights that are not finite, fails on any one seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ampfix.lab import checkspec
from ampfix.lab.checkspec import CheckSpec
from ampfix.lab.measurement import Measurement
from ampfix.lab.problem import Problem
from ampfix.lab.timing import TOO_NOISY, Timing
from ampfix.lab.verdict import Check, CheckStatus, Trust

LEAST_WORK = 0.5
"""An answer that did less than this share of the reference's matrix work left training out. Equal work was estimated
at 0.82 to 1.22 in 297 runs of all scenarios, since one step in a block is counted."""

STILL = 1e-9
"""Weights that travelled less than this, relative to the reference's, have not been trained."""


@dataclass(frozen=True)
class Paired:
    """An answer's runs beside the reference's and the broken loop's on the same seeds, in the same order.

    codes: the rules whose violations `protocol` looks for, by violation. timing: where the loop was timed, on a device
    of class `device_class`.
    """

    answer: Sequence[Measurement]
    reference: Sequence[Measurement]
    broken: Sequence[Measurement]
    codes: Mapping[str, str]
    timing: Timing | None = None
    device_class: str = ""


def check(spec: CheckSpec, runs: Paired) -> Check:
    """Carry out one check. What cannot be measured because the loop did not end is not_measured."""
    return _CHECKS[spec.name](spec, runs)


def _result(
    spec: CheckSpec,
    source: Trust,
    *,
    problem: Problem | None = None,
    measured: float | None = None,
    threshold: float | None = None,
    unit: str = "",
) -> Check:
    return Check(
        name=spec.name,
        status=CheckStatus.FAIL if problem else CheckStatus.PASS,
        measured=measured,
        required=spec.required,
        threshold=threshold,
        unit=unit,
        reason=problem.cause if problem else "",
        detail=problem.detail if problem else "",
        source=source,
    )


def _not_measured(spec: CheckSpec, source: Trust, detail: str, unit: str = "") -> Check:
    return Check(
        name=spec.name,
        status=CheckStatus.NOT_MEASURED,
        required=spec.required,
        unit=unit,
        detail=detail,
        source=source,
    )


_NO_RUN = "the loop did not end by itself"
_ON_CUDA = "measured on a CUDA device alone"


def _runs(spec: checkspec.Runs, runs: Paired) -> Check:
    wrong = [run.ended for run in runs.answer if run.ended]
    wrong += [run.weights for run in runs.answer if run.weights and run.weights.cause == "malformed_weights"]
    return _result(spec, Trust.ATTESTED, problem=wrong[0] if wrong else None)


def _converges(spec: checkspec.Converges, runs: Paired) -> Check:
    unit = "of the gap"
    for run in runs.answer:
        if run.weights and run.weights.cause in ("half_weights", "not_finite"):
            return _result(spec, Trust.ATTESTED, problem=run.weights, threshold=spec.max_gap, unit=unit)
    gap = loss_gap(spec, runs)
    if gap is None:
        return _not_measured(spec, Trust.ATTESTED, _NO_RUN, unit)
    problem = Problem(cause="loss_too_high", detail=_losses(runs)) if gap > spec.max_gap else None
    return _result(spec, Trust.ATTESTED, problem=problem, measured=gap, threshold=spec.max_gap, unit=unit)


def loss_gap(spec: checkspec.Converges, runs: Paired) -> float | None:
    """(answer - reference) / (broken - reference), median over seeds; 0 is the fp32 reference, 1 the broken loop.

    The denominator is at least rel_tol * |reference| / max_gap, and exactly that where the broken loop's loss is not
    finite: `gap <= max_gap` then says answer <= reference + rel_tol * |reference|.
    """
    gaps = []
    for answer, reference, broken in zip(runs.answer, runs.reference, runs.broken, strict=True):
        if answer.loss is None or reference.loss is None:
            return None
        if not math.isfinite(answer.loss):
            gaps.append(math.inf)
            continue
        unit = spec.rel_tol * abs(reference.loss) / spec.max_gap
        if broken.loss is not None and math.isfinite(broken.loss):
            unit = max(unit, broken.loss - reference.loss)
        excess = answer.loss - reference.loss
        gaps.append(excess / unit if unit > 0 else (0.0 if excess <= 0 else math.inf))
    return statistics.median(gaps)


def _losses(runs: Paired) -> str:
    groups = (("answer", runs.answer), ("reference", runs.reference), ("broken", runs.broken))
    parts = [f"{name} {median(run.loss for run in group) or math.nan:.4g}" for name, group in groups]
    return "median held-out loss: " + ", ".join(parts)


def _trajectory(spec: checkspec.Trajectory, runs: Paired) -> Check:
    distance = median(run.trajectory for run in runs.answer)
    if any(run.ended for run in runs.answer):
        return _not_measured(spec, Trust.ATTESTED, _NO_RUN)
    if distance is None:
        return _result(spec, Trust.ATTESTED, problem=Problem(cause="no_snapshot"), threshold=spec.max_distance)
    wrong = not distance <= spec.max_distance
    problem = Problem(cause="early_steps_differ") if wrong else None
    return _result(spec, Trust.ATTESTED, problem=problem, measured=distance, threshold=spec.max_distance)


def _not_fp32(spec: checkspec.NotFp32, runs: Paired) -> Check:
    distance = median(run.fp32_distance for run in runs.answer)
    if distance is None or any(run.fp32_distance is None for run in runs.answer):
        return _not_measured(spec, Trust.ATTESTED, _NO_RUN)
    problem = (
        Problem(cause="amp_removed", detail="the weights are the fp32 run's") if distance <= spec.min_distance else None
    )
    return _result(spec, Trust.ATTESTED, problem=problem, measured=distance, threshold=spec.min_distance)


def _half_precision(spec: checkspec.HalfPrecision, runs: Paired) -> Check:
    share = median(run.half_share for run in runs.answer)
    unit = "of FLOPs"
    if any(run.half_share is None and not run.ended for run in runs.answer):
        # Withholding the figure must not be worth more than reporting it: unmeasured, a pass would count as attested.
        silent = Problem(cause="amp_removed", detail="no matmul or convolution was recorded")
        return _result(spec, Trust.SELF_REPORTED, problem=silent, threshold=spec.min_share, unit=unit)
    if share is None:
        return _not_measured(spec, Trust.SELF_REPORTED, _NO_RUN, unit)
    problem = _less_work(runs)
    if share < spec.min_share:
        problem = Problem(cause="too_little_half" if share > 0 else "amp_removed")
    elif share > spec.max_share:
        problem = Problem(cause="needless_half")
    return _result(spec, Trust.SELF_REPORTED, problem=problem, measured=share, threshold=spec.min_share, unit=unit)


def _less_work(runs: Paired) -> Problem | None:
    """Batches may be merged, split or reordered, not taken and thrown away: their work has to be done."""
    pairs = zip(runs.answer, runs.reference, strict=True)
    done = median(run.flops / reference.flops for run, reference in pairs if run.flops and reference.flops)
    if done is None or done >= LEAST_WORK:
        return None
    return Problem(cause="fewer_steps", detail=f"{done:.0%} of the reference's matrix work was done")


def _aligned(spec: checkspec.Aligned, runs: Paired) -> Check:
    share = median(run.aligned for run in runs.answer)
    if share is None:
        return _not_measured(spec, Trust.SELF_REPORTED, "no matrix product in half precision was recorded", "of FLOPs")
    problem = Problem(cause="misaligned") if share < spec.min_share else None
    return _result(
        spec, Trust.SELF_REPORTED, problem=problem, measured=share, threshold=spec.min_share, unit="of FLOPs"
    )


def _protocol(spec: checkspec.Protocol, runs: Paired) -> Check:
    malformed = [run.events for run in runs.answer if run.events]
    if malformed:
        return _result(spec, Trust.SELF_REPORTED, problem=malformed[0])
    named = [breach for run in runs.answer for breach in run.breaches if breach.violation in runs.codes]
    problem = None
    if named:
        first = named[0]
        detail = f"{runs.codes[first.violation]} {first.violation} at {first.path}:{first.line}, {first.count} times"
        problem = Problem(cause="protocol_broken", detail=detail)
    elif all(run.attempts is None for run in runs.answer):
        return _not_measured(spec, Trust.SELF_REPORTED, "the recorder's account did not arrive")
    places = {(breach.violation, breach.path, breach.line) for breach in named}
    return _result(
        spec, Trust.SELF_REPORTED, problem=problem, measured=float(len(places)), threshold=0.0, unit="violations"
    )


def _skipped_steps(spec: checkspec.SkippedSteps, runs: Paired) -> Check:
    unit = "of attempts"
    if any(run.attempts is None for run in runs.answer):
        return _not_measured(spec, Trust.SELF_REPORTED, "the recorder's account did not arrive", unit)
    share = median(skipped_share(run) for run in runs.answer)
    problem = None
    if share is None:
        problem = Problem(cause="no_steps")
    elif share > spec.max_share:
        problem = Problem(cause="too_many_skips")
    elif any(run.travelled is not None and run.travelled < STILL for run in runs.answer):
        problem = Problem(cause="never_moved")
    return _result(spec, Trust.SELF_REPORTED, problem=problem, measured=share, threshold=spec.max_share, unit=unit)


def skipped_share(run: Measurement) -> float | None:
    """Skipped over attempted optimizer steps; None where none was attempted."""
    return run.skipped / run.attempts if run.attempts and run.skipped is not None else None


def _speedup(spec: checkspec.Speedup, runs: Paired) -> Check:
    timing = runs.timing
    if timing is None:
        return _not_measured(spec, Trust.ATTESTED, "this loop was not timed" if runs.device_class else _ON_CUDA, "x")
    if timing.problem:
        return _not_measured(spec, Trust.ATTESTED, timing.problem, "x")
    gain = timing.over_fp32
    said = f"{gain} of IEEE fp32's speed, {timing.over_tf32} of TF32's"
    if gain.noise >= TOO_NOISY:
        return _not_measured(spec, Trust.ATTESTED, f"{said}: too noisy for a conclusion", "x")
    if timing.loss_ratio is None or timing.loss_ratio > 1 + spec.rel_tol:
        differs = Problem(cause="timed_run_differs", detail=f"held-out loss {timing.loss_ratio} times fp32's")
        return _result(spec, Trust.ATTESTED, problem=differs, measured=gain.ratio, unit="x")
    threshold = spec.min_ratio.get(runs.device_class)
    missed = threshold is not None and gain.low < threshold
    problem = Problem(cause="no_speedup", detail=said) if missed else None
    return _by_class(
        _result(spec, Trust.ATTESTED, problem=problem, measured=gain.ratio, threshold=threshold, unit="x"), runs, said
    )


def _memory(spec: checkspec.Memory, runs: Paired) -> Check:
    pairs = zip(runs.answer, runs.reference, strict=True)
    share = median(run.peak_bytes / base.peak_bytes for run, base in pairs if run.peak_bytes and base.peak_bytes)
    if share is None:
        return _not_measured(spec, Trust.SELF_REPORTED, _ON_CUDA, "x")
    threshold = spec.max_ratio.get(runs.device_class)
    problem = Problem(cause="too_much_memory") if threshold is not None and share > threshold else None
    made = _result(spec, Trust.SELF_REPORTED, problem=problem, measured=share, threshold=threshold, unit="x")
    return _by_class(made, runs, f"{share:.2f} of the fp32 reference's peak")


def _by_class(made: Check, runs: Paired, said: str) -> Check:
    """A check whose threshold goes by device class; where there is none, its figure alone."""
    if made.threshold is not None:
        return made.model_copy(update={"detail": said})
    detail = f"{said}; no threshold has been measured for {runs.device_class} yet: reported, not required"
    return made.model_copy(update={"status": CheckStatus.NOT_MEASURED, "required": False, "detail": detail})


def median(values: Iterable[float | None]) -> float | None:
    """The median of what was measured, NaN counting as infinite; None where nothing was."""
    known = [math.inf if math.isnan(value) else value for value in values if value is not None]
    return statistics.median(known) if known else None


_CHECKS: dict[str, Callable[..., Check]] = {
    "runs": _runs,
    "converges": _converges,
    "trajectory": _trajectory,
    "not_fp32": _not_fp32,
    "half_precision": _half_precision,
    "aligned": _aligned,
    "protocol": _protocol,
    "skipped_steps": _skipped_steps,
    "speedup": _speedup,
    "memory": _memory,
}
