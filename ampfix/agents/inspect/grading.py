"""The one grader of an Inspect process: warm servers, started with the first answer and ended with the process."""

from __future__ import annotations

import atexit
import contextlib
import tempfile
import threading
from pathlib import Path

from ampfix.agents.executors import LocalExecutor
from ampfix.agents.grading import Graded, Grader
from ampfix.agents.predictions import Key
from ampfix.agents.store import Store
from ampfix.lab.runner import Runner

_lock = threading.Lock()
_graders: dict[tuple[str, Path | None], Grader] = {}
_stack = contextlib.ExitStack()
atexit.register(_stack.close)


class LabFault(RuntimeError):
    """We failed to judge an answer. Inspect marks the sample as an error and may retry it."""


def grade(key: Key, raw: bytes, runner: str = "process", scenarios: Path | None = None) -> Graded:
    """Grade one answer, one at a time. What is wrong with it is in its verdict; raises LabFault for our faults."""
    with _lock:
        if (runner, scenarios) not in _graders:
            _graders[runner, scenarios] = _new_grader(runner, scenarios)
        graded = _graders[runner, scenarios].grade_answer(key, raw)
    if graded.verdict.status.value == "infra_error":
        raise LabFault(f"{key.scenario_id}: {graded.verdict.reason}: {graded.verdict.detail}")
    return graded


def _new_grader(runner: str, scenarios: Path | None) -> Grader:
    executor = _stack.enter_context(LocalExecutor(lambda: _runner(runner)))
    folder = _stack.enter_context(tempfile.TemporaryDirectory(prefix="ampfix-inspect-"))
    return Grader.on(executor, Store(Path(folder)), None, scenarios)


def _runner(name: str) -> Runner:
    if name == "process":
        from ampfix.lab.process import ProcessRunner

        return ProcessRunner()
    if name == "docker":
        from ampfix.lab.docker_runner import DockerRunner

        return DockerRunner()
    raise ValueError(f"unknown runner {name!r}: expected process or docker")
