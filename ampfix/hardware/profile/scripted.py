"""Profiles a script as it is: a process for each arm and pass, in turn, each stopped after some steps."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ampfix.hardware.place import Place
from ampfix.hardware.profile import conditions, decision, padding, roofline
from ampfix.hardware.profile.arms import arms, why_not
from ampfix.hardware.profile.census import Call
from ampfix.hardware.profile.modelled import Effort
from ampfix.hardware.profile.results import (
    MEASURED,
    NOT_MEASURED,
    ArmTime,
    Bound,
    Census,
    Kernels,
    Profile,
)
from ampfix.hardware.profile.worker import AS_WRITTEN
from ampfix.hardware.watching import Script
from ampfix.lab.timing import interleaved, spread

_NOTE = (
    "a step is the script's own, from one optimizer step to the next, loading of data and logging included; "
    "memory is the process's at its peak"
)
_SHOWN = 300


class ScriptError(ValueError):
    """A script that cannot be profiled; the message is one line."""


def profile_script(script: Script, place: Place, effort: Effort, warm_up: int, steps: int) -> Profile:
    """Run the script in each arm that this device can show. It writes what it writes each time.

    Raises:
        ScriptError: it cannot be timed as written.
    """
    names = [AS_WRITTEN, *(arm.name for arm in arms() if not why_not(arm, place))]
    refused = {arm.name: why_not(arm, place) for arm in arms() if why_not(arm, place)}
    with tempfile.TemporaryDirectory(prefix="ampfix-profile-") as folder:
        runs = _Runs(script, Path(folder), warm_up, steps)
        counted = {name: runs.run(name, census=True) for name in names}
        if problem := counted[AS_WRITTEN]["problem"]:
            raise ScriptError(f"{script.name}: cannot be timed: {problem}")
        for name in [name for name in names if counted[name]["problem"]]:
            refused[name] = counted[name]["problem"]
            names.remove(name)
        before = conditions.read(place)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for name in interleaved(names, effort.rounds):
            found[name].append(runs.run(name, census=False))
        after = conditions.read(place)
    times = {name: [run["step_ms"] for run in all_of_it] for name, all_of_it in found.items()}
    for name in [name for name, passes in times.items() if None in passes]:
        refused[name] = next(run["problem"] for run in found[name] if run["step_ms"] is None)
        del times[name]
    gains = decision.gains(times)
    medians = {name: statistics.median(passes) for name, passes in times.items()}
    return Profile(
        target=" ".join(script.command),
        whole_script=True,
        conditions=conditions.conditions(place, before, after, times),
        arms=(
            *(_time(name, times[name], found[name]) for name in times),
            *(ArmTime(arm=name, status=NOT_MEASURED, reason=why) for name, why in refused.items()),
        ),
        gains=gains,
        verdict=decision.verdict(gains, refused),
        bounds=tuple(_bounds(counted, place, medians)),
        census=tuple(_census(counted[name], place) for name in medians),
        kernels=(Kernels(arm="all", status=NOT_MEASURED, reason="kernels of a script are seen with module:function"),),
        notes=(_NOTE,),
    )


class _Runs:
    """Fresh processes that run the script."""

    def __init__(self, script: Script, folder: Path, warm_up: int, steps: int) -> None:
        self._script, self._folder, self._warm_up, self._steps = script, folder, warm_up, steps

    def run(self, arm: str, *, census: bool) -> dict[str, Any]:
        out = self._folder / "figures.json"
        out.unlink(missing_ok=True)
        command = (
            sys.executable, "-m", "ampfix.hardware.profile.worker", "--arm", arm, "--out", str(out),
            "--warm-up", str(self._warm_up), "--steps", str(1 if census else self._steps),
            *(("--census",) if census else ()), *(("--module",) if self._script.module else ()),
            "--", self._script.name, *self._script.arguments,
        )  # fmt: skip
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if not out.is_file():
            last = (
                ended.stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {ended.returncode}"]
            )[-1]
            return {"problem": last[:_SHOWN], "step_ms": None}
        figures = json.loads(out.read_bytes())
        if figures["problem"] and ended.stderr.strip() and not figures["steps"]:
            last = ended.stderr.decode(errors="replace").strip().splitlines()[-1]
            figures["problem"] = f"{figures['problem']} ({last[:_SHOWN]})"
        assert isinstance(figures, dict)
        return figures


def _time(name: str, passes: list[float], runs: list[dict[str, Any]]) -> ArmTime:
    peaks = [run["peak_bytes"] for run in runs if run["peak_bytes"] is not None]
    return ArmTime(
        arm=name, status=MEASURED, passes=tuple(passes), step_ms=statistics.median(passes), spread=spread(passes),
        peak_bytes=max(peaks, default=None), memory_from=runs[0]["memory_from"],
    )  # fmt: skip


def _bounds(counted: dict[str, dict[str, Any]], place: Place, medians: dict[str, float]) -> Iterator[Bound]:
    calls = {name: {Call(**call): count for call, count in counted[name]["calls"]} for name in medians}
    halves = {"float32"} | {call.dtype for all_of_it in calls.values() for call in all_of_it if call.flops}
    if place.kind == "cuda":
        peak = roofline.peak_of(place.name)
    else:
        peak = roofline.measured_peak(roofline.dtypes_of(halves - {"float16"}))
    tf32 = {arm.name for arm in arms() if arm.tf32}
    if peak is not None:
        for name in medians:
            yield roofline.bound(name, calls[name], peak, tf32=name in tf32, measured_ms=medians[name])


def _census(run: dict[str, Any], place: Place) -> Census:
    found = Census.model_validate(run["census"])
    return found.model_copy(update={"products": padding.with_gains(found.products, place)})
