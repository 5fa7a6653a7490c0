"""Runs a user's script under watch: with CUDA emulated if asked for, replayed to its first bad step, and explained."""

from __future__ import annotations

import contextlib
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ampfix.findings import Finding
from ampfix.lint.engine import check_source
from ampfix.lint.project import Project
from ampfix.watch import log
from ampfix.watch.alarms import Alarm
from ampfix.watch.monitor import Companion, TraceDone, Watch

AS_WRITTEN, FP32 = "as-written", "fp32"
UNCAUGHT = 1  # the exit code Python ends with on an uncaught exception
INTERRUPTED = 130  # and what shells make of its end by Ctrl-C: 128 + SIGINT


@dataclass(frozen=True)
class Script:
    """What to run: a file or, with `module`, a module's name, and its arguments."""

    name: str
    arguments: tuple[str, ...] = ()
    module: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        return (*(("-m",) if self.module else ()), self.name, *self.arguments)


@dataclass(frozen=True)
class Watched:
    """How a watched run went. code: the script's own exit code."""

    code: int
    alarms: tuple[Alarm, ...]
    summary: dict[str, Any]
    first_bad_step: int | None
    record: Path | None


def watch_script(
    script: Script,
    out: Path | None,
    emulate: str | None,
    trace_step: int | None = None,
    precision: str = AS_WRITTEN,
    companions: Sequence[Companion] = (),
) -> Watched:
    """Run a script in this interpreter under watch.

    Args:
        script: what to run, as `python` would.
        out: folder for the record.
        emulate: name of the device profile CUDA is emulated with; None runs on what there is.
        trace_step: see `Watch`.
        precision: AS_WRITTEN, or FP32 to run with autocast and scalers off.
        companions: see `Watch`.
    """
    watch = Watch(out, trace_step=trace_step, companions=companions)
    with contextlib.ExitStack() as stack:
        if emulate is not None:
            from ampfix.emulate import cuda

            stack.enter_context(cuda(emulate))
        if precision == FP32:
            from ampfix.emulate import force_fp32

            stack.enter_context(force_fp32())
        code = run_under(script, watch)
    record = None if out is None else watch.record
    return Watched(code, tuple(watch.alarms), watch.summary(), watch.first_bad_step, record)


def run_under(script: Script, watch: contextlib.AbstractContextManager[object]) -> int:
    """Run a script as Python would, inside a context that may end it with TraceDone. Returns its exit code."""
    before = sys.argv, list(sys.path)
    try:
        with watch:
            if script.module:
                sys.argv = [script.name, *script.arguments]
                sys.path.insert(0, str(Path.cwd()))
                runpy.run_module(script.name, run_name="__main__", alter_sys=True)
            else:
                sys.argv = [script.name, *script.arguments]
                sys.path.insert(0, str(Path(script.name).resolve().parent))
                runpy.run_path(script.name, run_name="__main__")
    except TraceDone:
        return 0
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException as error:
        _print_traceback(error)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else UNCAUGHT
    finally:
        sys.argv, sys.path[:] = before
    return 0


def _exit_code(leaving: SystemExit) -> int:
    """What Python makes of `sys.exit(value)`: nothing is 0, a number itself, and a text is printed and gives 1."""
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    sys.stderr.write(f"{leaving.code}\n")
    return UNCAUGHT


def _print_traceback(error: BaseException) -> None:
    """As Python prints it, from the script's own first frame on."""
    inner = error.__traceback__
    while inner is not None and (
        inner.tb_frame.f_code.co_filename == __file__ or "runpy" in inner.tb_frame.f_code.co_filename
    ):
        inner = inner.tb_next
    traceback.print_exception(type(error), error, inner or error.__traceback__)


@dataclass(frozen=True)
class Replay:
    """A second run up to the step that went wrong. exact: every loss before it was the same, bit by bit."""

    alarms: tuple[dict[str, Any], ...]
    exact: bool
    steps: int


def replay(script: Script, watched: Watched, emulate: str | None, options: Sequence[str] = ()) -> Replay:
    """Run the script again in a fresh process, up to its first bad step, and trace that one.

    `options` of `ampfix watch` are those that change the run. The script's output is dropped; what it writes to disk it
    writes again.
    """
    assert watched.record is not None and watched.first_bad_step is not None
    folder = watched.record.parent / "replay"
    emulated = ("--emulate", "cuda", "--profile", emulate) if emulate else ()
    command = (
        sys.executable, "-m", "ampfix", "watch", "--out", str(folder), "--trace-step", str(watched.first_bad_step),
        *emulated, *options, "--", *script.command,
    )  # fmt: skip
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=dict(os.environ))
    again = list(log.read(folder / watched.record.name)) if (folder / watched.record.name).is_file() else []
    first, second = _losses(log.read(watched.record)), _losses(iter(again))
    alarms = tuple(record for record in again if record["kind"] == "alarm")
    return Replay(alarms, bool(second) and first[: len(second)] == second, len(second))


def _losses(records: Iterator[dict[str, Any]]) -> list[Any]:
    return [record.get("loss") for record in records if record["kind"] == "step"]


def explained(alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarms, those without a code given that of what `check` finds on their line."""
    found: dict[str, list[Finding]] = {}
    told = []
    for alarm in alarms:
        if alarm.code or not alarm.line:
            told.append(alarm)
            continue
        if alarm.path not in found:
            found[alarm.path] = _findings(alarm.path)
        there = [item for item in found[alarm.path] if item.span.start.line <= alarm.line <= item.span.end.line]
        told.append(replace(alarm, code=there[0].code, name=there[0].name) if there else alarm)
    return told


def _findings(path: str) -> list[Finding]:
    try:
        return list(check_source(Path(path).read_text(encoding="utf-8"), path, project=Project()))
    except (OSError, ValueError):
        return []
