"""A command as an agent: it gets a folder with the request, and answers on stdout or by editing files there.

It runs as the user who started the evaluation, with that user's environment and network: wrap the command in a
container where the agent is not to be trusted. The folder holds PROMPT.md, the loop's files and, in workspace mode,
task.py and try_loop.py. Read back are stdout (review, patch) or the loop's files and ANSWER.md (workspace), and
usage.json with input_tokens, output_tokens and cost_usd where the command writes one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ampfix.agents.answers import Mode
from ampfix.agents.predictions import Usage
from ampfix.agents.prompts import Prompt
from ampfix.agents.solvers.base import Reply, Solver
from ampfix.agents.solvers.workspace import lay_out
from ampfix.lab.problem import Problem
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import LARGEST_ANSWER

PROMPT_FILE, ANSWER_FILE, USAGE_FILE = "PROMPT.md", "ANSWER.md", "usage.json"
_LAST_WORDS = 300  # characters of stderr that a problem quotes


class CommandSolver(Solver):
    """command: as a shell would split it. timeout_s: after which the command and what it started are killed."""

    def __init__(self, command: str, name: str, timeout_s: float) -> None:
        self.name = name
        self._words = shlex.split(command)
        self._timeout_s = timeout_s

    def solve(self, spec: ScenarioSpec, prompt: Prompt) -> Reply:
        # The folder's name says nothing of the scenario: its id tells what is wrong.
        with tempfile.TemporaryDirectory(prefix="ampfix-work-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            lay_out(folder, spec, prompt)
            started = time.monotonic()
            ended = self._run(folder, prompt)
            usage = _usage(folder, time.monotonic() - started)
            if isinstance(ended, Problem):
                return Reply(usage=usage, problem=ended)
            if prompt.mode is not Mode.WORKSPACE:
                return Reply(answer=ended, usage=usage)
            return _edited(folder, spec, usage)

    def _run(self, folder: Path, prompt: Prompt) -> str | Problem:
        """What the command printed, or why it did not answer."""
        environment = {**os.environ, "AMPFIX_PROMPT": str(folder / PROMPT_FILE), "AMPFIX_MODE": prompt.mode.value}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    self._words, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=errors,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                return Problem(cause="agent_failed", detail=f"{self._words[0]}: {error.strerror or error}")
            try:
                process.communicate(prompt.text.encode(), timeout=self._timeout_s)
            except subprocess.TimeoutExpired:
                return Problem(cause="agent_timeout", detail=f"no answer within {self._timeout_s:g} s")
            finally:
                _kill_group(process)
            if process.returncode != 0:
                said = " ".join(_end_of(errors).split())
                return Problem(cause="agent_failed", detail=f"exit code {process.returncode}: {said or 'no message'}")
            out.seek(0)
            return _text(out.read(LARGEST_ANSWER + 1), "stdout")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what the command started, too: a group outlives its leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_of(file: Any) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LAST_WORDS))
    return str(file.read().decode("utf-8", errors="replace"))


def _edited(folder: Path, spec: ScenarioSpec, usage: Usage) -> Reply:
    """The loop's files as the command left them, as a JSON answer with its diagnosis."""
    original = spec.loop_files()
    changed: dict[str, str] = {}
    for name, before in original.items():
        text = _read_back(folder, name)
        if isinstance(text, Problem):
            return Reply(usage=usage, problem=text)
        if text != before:
            changed[name] = text
    said = _read_back(folder, ANSWER_FILE)
    answer: dict[str, Any] = {"diagnosis": said if isinstance(said, str) else ""}
    if changed:
        answer["files"] = changed
    return Reply(answer=json.dumps(answer), usage=usage)


def _read_back(folder: Path, name: str) -> str | Problem:
    """A file of the workspace, if it is a regular one inside it."""
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return Problem(cause="path_not_allowed", detail=f"{name} leads out of the workspace")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Problem(cause="path_not_allowed", detail=f"{name} is no regular file")
            raw = file.read(LARGEST_ANSWER + 1)
    except OSError as error:
        return Problem(cause="path_not_allowed", detail=f"{name}: {error.strerror or error}")
    return _text(raw, name)


def _text(raw: bytes, name: str) -> str | Problem:
    if len(raw) > LARGEST_ANSWER:
        return Problem(cause="too_large", detail=f"{name} is larger than {LARGEST_ANSWER >> 20} MiB")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return Problem(cause="not_utf8", detail=f"{name} is not UTF-8 text")


def _usage(folder: Path, wall_s: float) -> Usage:
    """The cost as the command tells it; what makes no sense is left out."""
    found = _read_back(folder, USAGE_FILE)
    try:
        fields = json.loads(found) if isinstance(found, str) else {}
        return Usage(
            wall_s=round(wall_s, 3),
            **{name: fields.get(name) for name in ("input_tokens", "output_tokens", "cost_usd")},
        )
    except (ValueError, AttributeError, RecursionError):
        return Usage(wall_s=round(wall_s, 3))
