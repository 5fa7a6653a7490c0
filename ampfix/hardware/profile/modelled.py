"""Profiles a model that a function builds: every arm in one process, on the same weights and the same batch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ampfix.hardware.models import errors_of
from ampfix.hardware.place import Place
from ampfix.hardware.profile import bench, conditions, decision, kernels, padding, peak_memory, roofline, sweep
from ampfix.hardware.profile.arms import Arm, arms, why_not
from ampfix.hardware.profile.census import StepCensus
from ampfix.hardware.profile.results import (
    MEASURED,
    NOT_MEASURED,
    ArmTime,
    Bound,
    Census,
    Kernels,
    Profile,
)
from ampfix.hardware.profile.workload import Step, Workload
from ampfix.lab.timing import spread

_LONGEST = 200


@dataclass(frozen=True)
class Effort:
    """seconds: about how long the timing may take. rounds: of two passes each. compiled: whether to add compiled arms.
    predict: a GPU whose bounds are worked out too."""

    seconds: float = 30.0
    rounds: int = 4
    compiled: bool = False
    predict: str | None = None


def profile_model(target: str, work: Workload, place: Place, effort: Effort) -> Profile:
    """Measure what this device can show of every arm."""
    with errors_of(target):
        steps, refused = _prepared(work, place, effort)
    memory = {name: peak_memory.measure(work, step) for name, step in steps.items()}
    counted = {name: _counted(step) for name, step in steps.items() if not step.arm.compiled}
    before = conditions.read(place)
    times = bench.passes(steps, effort.seconds, effort.rounds, place.kind) if steps else {}
    around = conditions.conditions(place, before, conditions.read(place), times)
    gains = decision.gains(times)
    medians = {name: statistics.median(passes) for name, passes in times.items()}
    censuses = [_with_padding(census.result(name), place) for name, census in counted.items()]
    bounds = list(_bounds(counted, steps, place, medians))
    notes = []
    if effort.predict is not None:
        predicted, why = _predicted(work, effort.predict)
        bounds += predicted
        notes += [why] if why else []
    return Profile(
        target=target,
        whole_script=False,
        parameters=work.parameters,
        conditions=around,
        arms=(*(_time(name, times[name], *memory[name]) for name in steps), *refused),
        gains=gains,
        verdict=decision.verdict(gains, {arm.arm: arm.reason for arm in refused}),
        bounds=tuple(bounds),
        census=tuple(censuses),
        kernels=tuple(_kernels(steps, place)),
        notes=tuple(notes),
    )


def _prepared(work: Workload, place: Place, effort: Effort) -> tuple[dict[str, Step], list[ArmTime]]:
    """The arms that run here, each stepped once, and those that do not, with the reason."""
    steps: dict[str, Step] = {}
    refused: list[ArmTime] = []
    for arm in arms(compiled=effort.compiled):
        reason = why_not(arm, place)
        if not reason:
            step = Step(work, arm)
            reason = _failure(step)
            if not reason:
                steps[arm.name] = step
                continue
        refused.append(ArmTime(arm=arm.name, status=NOT_MEASURED, reason=reason))
    return steps, refused


def _failure(step: Step) -> str:
    """What stops an arm's first step; a model may not run in a precision, or not compile. Raises if eager fp32 fails:
    then the model itself is broken."""
    try:
        step()
    except Exception as error:
        if step.arm == Arm("fp32"):
            raise
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        return f"it does not run: {type(error).__name__}: {first.strip()}"[:_LONGEST]
    return ""


def _counted(step: Step) -> StepCensus:
    census = StepCensus()
    census.start()
    try:
        step()
    finally:
        census.stop()
    return census


def _with_padding(census: Census, place: Place) -> Census:
    return census.model_copy(update={"products": padding.with_gains(census.products, place)})


def _bounds(
    counted: dict[str, StepCensus], steps: dict[str, Step], place: Place, medians: dict[str, float]
) -> Iterator[Bound]:
    if place.kind == "cuda":
        peak = roofline.peak_of(place.name)
    else:
        dtypes = {torch.float32} | {steps[name].arm.torch_dtype for name in counted}
        peak = roofline.measured_peak(tuple(dtypes))
    if peak is not None:
        for name, census in counted.items():
            yield roofline.bound(name, census.calls, peak, tf32=steps[name].arm.tf32, measured_ms=medians.get(name))


def _predicted(work: Workload, device: str) -> tuple[list[Bound], str]:
    """Bounds of a GPU that is not here, from a step under its emulation, whose dtypes are CUDA's."""
    if work.device.type != "cpu":
        return [], "bounds of another GPU are worked out on a CPU only"
    from ampfix.emulate import PROFILES, cuda

    peak, accelerated = roofline.PEAKS[device], PROFILES[device].accelerated
    place = Place("cuda", device, accelerated)
    found: list[Bound] = []
    with cuda(device):
        for arm in arms():
            if not why_not(arm, place):
                census = _counted(Step(work, arm, region="cuda"))
                found.append(roofline.bound(arm.name, census.calls, peak, tf32=arm.tf32))
    return found, ""


def _time(name: str, passes: list[float], peak_bytes: int | None, source: str) -> ArmTime:
    return ArmTime(
        arm=name, status=MEASURED, passes=tuple(passes), step_ms=statistics.median(passes), spread=spread(passes),
        peak_bytes=peak_bytes, memory_from=source,
    )  # fmt: skip


def _kernels(steps: dict[str, Step], place: Place) -> Iterator[Kernels]:
    if place.kind == "cuda":
        for name, step in steps.items():
            yield kernels.observe(name, step)
    else:
        yield Kernels(arm="all", status=NOT_MEASURED, reason="tensor cores are a CUDA device's")


def profile_matmul(place: Place) -> Profile:
    """The device alone: how fast it multiplies matrices."""
    before = conditions.read(place)
    rates = tuple(sweep.sweep(place))
    around = conditions.conditions(place, before, conditions.read(place), {})
    return Profile(target="matmul", whole_script=False, conditions=around, rates=rates)
