"""What else may have moved the figures: throttling, other load, drift over the passes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ampfix.hardware.place import Place
from ampfix.hardware.profile.results import Conditions
from ampfix.lab.timing import NOISY, spread

_QUERY = ("clocks_throttle_reasons.active", "clocks.sm", "temperature.gpu")
_REASONS = {
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
"""Bits of NVML's clocks throttle reasons; idle, application clocks, sync boost and display are no throttling."""
_DRIFT = 0.05
_IDLE_LOAD = 1.25
"""Above so many times the threads in use, something else is running."""


@dataclass(frozen=True)
class Reading:
    """One look at the device. clock: MHz of the multiprocessors. Nothing is known where the driver cannot be asked."""

    reasons: tuple[str, ...] | None = None
    clock: float | None = None


def read(place: Place) -> Reading:
    """Ask the driver, at the end of a timed part rather than after it: an idle GPU throttles nothing."""
    if place.kind != "cuda":
        return Reading()
    command = ("nvidia-smi", f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits", "--id=0")
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return Reading()
    return parse(told)


def parse(told: str) -> Reading:
    """One line of nvidia-smi's: a bit mask, a clock, a temperature. Fields it does not support are left out."""
    fields = [field.strip() for field in told.splitlines()[0].split(",")] if told.strip() else []
    if len(fields) != len(_QUERY):
        return Reading()
    try:
        mask = int(fields[0], 0)
    except ValueError:
        return Reading(None, _number(fields[1]))
    return Reading(tuple(name for bit, name in _REASONS.items() if mask & bit), _number(fields[1]))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def conditions(place: Place, before: Reading, after: Reading, times: Mapping[str, Sequence[float]]) -> Conditions:
    """Everything together. times: milliseconds of the passes by arm."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    threads = torch.get_num_threads()
    seen = [reading.reasons for reading in (before, after) if reading.reasons is not None]
    throttled = tuple(dict.fromkeys(reason for reasons in seen for reason in reasons)) if seen else None
    drift = _drift(times)
    warnings = []
    if throttled:
        warnings.append(f"the GPU was held back: {', '.join(throttled)}")
    if drift is not None and abs(drift) > _DRIFT:
        warnings.append(f"steps became {'slower' if drift > 0 else 'faster'} by {abs(drift):.0%} while they were timed")
    if place.kind == "cpu" and load is not None and load > _IDLE_LOAD * threads:
        warnings.append(f"the machine was busy: a load of {load:.1f} beside {threads} threads of this run's own")
    noisy = [arm for arm, passes in times.items() if len(passes) > 1 and spread(passes) >= NOISY]
    if noisy:
        warnings.append(f"times of {', '.join(noisy)} spread by more than {NOISY:.0%}")
    clocks = (before.clock, after.clock) if before.clock is not None and after.clock is not None else None
    return Conditions(
        device=place.name, threads=threads, torch=torch.__version__, load=load, drift=drift, throttled=throttled,
        clocks_mhz=clocks, warnings=tuple(warnings),
    )  # fmt: skip


def _drift(times: Mapping[str, Sequence[float]]) -> float | None:
    """How much slower the second half of the passes was than the first, all arms together."""
    halves = [(sum(passes[: len(passes) // 2]), sum(passes[-(len(passes) // 2) :])) for passes in times.values()]
    first = sum(one for one, _ in halves)
    return sum(other for _, other in halves) / first - 1 if first else None
