"""The submission server's jobs: the supervisor's side of one jailed run. Never executes submitted code itself."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import ampfix
from graders import gpu, jail, run_loop
from graders.exchange import Collector
from graders.gate import GATE, Stopwatch
from graders.jail import Feature, IsolationLevel, Limits, View

_OUTPUT_TAIL = 4000

# A first context takes seconds, and tens of them where CUDA's libraries are read from a cold disk.
_REHEARSAL = Limits(
    wall_s=120.0, memory_bytes=16 << 30, processes=256, file_bytes=1 << 28, output_bytes=1 << 20, tmp_bytes=1 << 28
)


def run(
    answer: str,
    inputs: str,
    out: str,
    loop: dict[str, Any],
    limits: dict[str, Any],
    gate: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run a loop in the jail; frames become files in `out`. How it ended is returned.

    answer: folder of the submitted files. inputs: folder with task.py, init and train files.
    loop: fields of LoopJob. limits: fields of Limits. gate: fields of Stopwatch, where the steps are to be timed;
    `timed_s` in the result is their time.
    """
    job = run_loop.LoopJob(**loop)
    if job.device == "cuda":
        job = replace(job, variables=gpu.environment(os.environ))
    bounds = Limits(**limits)
    stopwatch = None if gate is None else Stopwatch(Path(gate["withheld"]), Path(gate["folder"]))
    if stopwatch is not None and Feature.MOUNT not in (gpu_level() if job.device == "cuda" else jail.probe()):
        stopwatch.release_early()
    collector = Collector(Path(out), bounds.file_bytes, stopwatch.on_frame if stopwatch else None)
    view = _view(job, answer, inputs, gate)
    level = gpu_level() if job.device == "cuda" else None
    report = jail.run(functools.partial(run_loop.run, job), view, bounds, collector, level=level)
    complete = collector.close()
    return {
        "outcome": report.outcome.value,
        "exit_code": report.exit_code,
        "signal": report.signal,
        "wall_s": report.wall_s,
        "detail": report.detail,
        "complete": complete,
        "output": report.output[-_OUTPUT_TAIL:],
        "level": describe(report.level),
        "timed_s": None if stopwatch is None else stopwatch.timed_s,
    }


@functools.cache
def gpu_level() -> IsolationLevel:
    """The strongest level in which CUDA works, found by using it. Raises OSError where it works in none.

    To be called by the server once, so that its forks need not; only forks of it use CUDA.
    """
    rehearsal = functools.partial(gpu.rehearse, gpu.environment(os.environ))
    return jail.strongest_for(rehearsal, View(_gpu_folders(), devices=gpu.devices()), _REHEARSAL)


def probe_level(device: str = "cpu") -> dict[str, Any]:
    """The isolation that runs on this machine get, and the versions that they run with."""
    versions = {"python": platform.python_version(), "torch": importlib.metadata.version("torch")}
    return describe(gpu_level() if device == "cuda" else jail.probe()) | {"versions": versions}


def describe(level: IsolationLevel) -> dict[str, Any]:
    features = sorted(feature.value for feature in level.features)
    return {"name": level.name, "undefended": list(level.undefended), "features": features}


def _view(job: run_loop.LoopJob, answer: str, inputs: str, gate: dict[str, str] | None) -> View:
    packages = (Path(ampfix.__file__).parent, Path(__file__).parent)
    shown = [(answer, run_loop.ANSWER), (inputs, run_loop.INPUTS)]
    shown += [(str(folder.resolve()), str(folder.resolve())) for folder in packages]
    if gate is not None:
        shown.append((gate["folder"], GATE))
    if job.device != "cuda":
        return View(readonly=tuple(shown), workdir=run_loop.SCRATCH)
    return View(readonly=(*shown, *_gpu_folders()), workdir=run_loop.SCRATCH, devices=gpu.devices())


def _gpu_folders() -> tuple[tuple[str, str], ...]:
    return tuple((folder, folder) for folder in gpu.folders(os.environ))
