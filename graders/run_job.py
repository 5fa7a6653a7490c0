"""The submission server's jobs: the supervisor's side of one jailed run. Never executes submitted code itself."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import ampfix
from graders import jail, run_loop
from graders.exchange import Collector
from graders.jail import IsolationLevel, Limits, View

_OUTPUT_TAIL = 4000


def run(answer: str, inputs: str, out: str, loop: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Run a loop in the jail; frames become files in `out`. How it ended is returned.

    answer: folder of the submitted files. inputs: folder with task.py, init and train files.
    loop: fields of LoopJob. limits: fields of Limits.
    """
    job = run_loop.LoopJob(**loop)
    bounds = Limits(**limits)
    collector = Collector(Path(out), tensor_bytes=bounds.file_bytes)
    report = jail.run(functools.partial(run_loop.run, job), _view(answer, inputs), bounds, collector)
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
    }


def probe_level() -> dict[str, Any]:
    """The isolation that runs on this machine get, and the versions that they run with."""
    versions = {"python": platform.python_version(), "torch": importlib.metadata.version("torch")}
    return describe(jail.probe()) | {"versions": versions}


def describe(level: IsolationLevel) -> dict[str, Any]:
    features = sorted(feature.value for feature in level.features)
    return {"name": level.name, "undefended": list(level.undefended), "features": features}


def _view(answer: str, inputs: str) -> View:
    packages = (Path(ampfix.__file__).parent, Path(__file__).parent)
    shown = [(str(folder.resolve()), str(folder.resolve())) for folder in packages]
    return View(readonly=((answer, run_loop.ANSWER), (inputs, run_loop.INPUTS), *shown), workdir=run_loop.SCRATCH)
