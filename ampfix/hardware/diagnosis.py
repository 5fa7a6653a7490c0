"""Finds one cause for a training script that goes wrong, by running it: as written, in fp32, and repaired.

The method: does it train in fp32? If not, precision is not the problem. Are steps skipped, or events out of order?
Where is the first value that is not finite? What `fix` makes of the cause is run again, and must end near fp32.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability, Finding
from ampfix.hardware.watching import AS_WRITTEN, FP32, Script, explained
from ampfix.lint.engine import check_source
from ampfix.lint.project import Project
from ampfix.watch import log
from ampfix.watch.alarms import Alarm

_TAIL = 0.1  # the share of a run's last losses whose median is its result
_NEAR = 0.1
"""How much worse than fp32's a result may be. Held-out losses of right loops lie between 0.994 and 1.015 of fp32's over
60 seeds; training losses of one run are noisier, so that this is several times wider."""

NOT_PRECISION, HEALTHY = "not a precision problem", "no precision problem found"


@dataclass(frozen=True)
class Run:
    """One run of the script. loss: the median of its last tenth, None where no loss was seen; first: its first."""

    precision: str
    code: int
    attempts: int
    skipped: int
    first: float | None
    loss: float | None
    alarms: tuple[Alarm, ...]

    @property
    def trains(self) -> bool:
        """Whether it ended by itself, with a loss that is finite and lower than at the start."""
        if self.code or self.first is None or self.loss is None:
            return False
        return math.isfinite(self.loss) and self.loss < self.first


@dataclass(frozen=True)
class Diagnosis:
    """cause: a rule's code, NOT_PRECISION, HEALTHY, or "" where only symptoms are known.

    repaired: the run of what `fix` wrote, None where it repairs nothing.
    """

    cause: str
    alarm: Alarm | None
    reasons: tuple[str, ...]
    written: Run
    fp32: Run
    repaired: Run | None

    @property
    def proven(self) -> bool:
        """Whether the repair ran, without the alarm, to fp32's result."""
        repaired = self.repaired
        if repaired is None or self.alarm is None or not repaired.trains:
            return False
        return _is_near(repaired, self.fp32) and self.cause not in {alarm.code for alarm in repaired.alarms}


def diagnose(script: Script, out: Path, emulate: str | None) -> Diagnosis:
    """Run the script in fresh processes, records below `out`. What it prints is dropped."""
    written = _run(script, out / "as-written", emulate, AS_WRITTEN, replay=True)
    fp32 = _run(script, out / "fp32", emulate, FP32)
    alarm = _cause(written.alarms)
    reasons = list(_reasons(written, fp32))
    if not fp32.trains and not written.trains and (alarm is None or not alarm.code):
        return Diagnosis(NOT_PRECISION, None, (*reasons, "fp32 does not train either"), written, fp32, None)
    if alarm is None:
        near = written.trains and _is_near(written, fp32)
        return Diagnosis(HEALTHY if near else "", None, tuple(reasons), written, fp32, None)
    repaired = _repaired(script, out / "repaired", emulate, alarm)
    return Diagnosis(alarm.code, alarm, tuple(reasons), written, fp32, repaired)


def _cause(alarms: Sequence[Alarm]) -> Alarm | None:
    """The first alarm that names a rule; symptoms follow from it. Without one, the first symptom."""
    named = [alarm for alarm in alarms if alarm.code]
    return min(named or alarms, key=lambda alarm: alarm.step, default=None)


def _reasons(written: Run, fp32: Run) -> list[str]:
    return [
        f"{name}: {_figure(run.first)} -> {_figure(run.loss)}, {run.skipped} of {run.attempts} steps skipped"
        + (f", ended with {run.code}" if run.code else "")
        for name, run in (("as written", written), ("fp32", fp32))
    ]


def _figure(value: float | None) -> str:
    return "no loss" if value is None else f"{value:.4g}"


def _is_near(run: Run, fp32: Run) -> bool:
    if run.loss is None or fp32.loss is None:
        return False
    return run.loss <= fp32.loss + _NEAR * abs(fp32.loss)


def _repaired(script: Script, folder: Path, emulate: str | None, alarm: Alarm) -> Run | None:
    """The script with what `fix` can do about the alarm's rule, beside its own folder, run again."""
    if script.module or not alarm.code:
        return None
    source = Path(script.name)
    text = source.read_text(encoding="utf-8")

    def check(current: str) -> list[Finding]:
        found = check_source(current, str(source), project=Project())
        return [finding for finding in found if finding.code == alarm.code]

    outcome = fix_text(text, check, (Applicability.SAFE, Applicability.UNSAFE))
    if outcome.text == text:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / source.name
    copy.write_text(outcome.text, encoding="utf-8")
    again = Script(str(copy), script.arguments)
    return _run(again, folder, emulate, AS_WRITTEN, beside=source.resolve().parent)


def _run(
    script: Script,
    folder: Path,
    emulate: str | None,
    precision: str,
    *,
    replay: bool = False,
    beside: Path | None = None,
) -> Run:
    """Run under watch in a process of its own. `beside`: a folder whose modules the script imports."""
    emulated = ("--emulate", "cuda", "--profile", emulate) if emulate else ()
    command = (
        sys.executable, "-m", "ampfix", "watch", "--out", str(folder), "--precision", precision, *emulated,
        *(("--replay",) if replay else ()), "--", *script.command,
    )  # fmt: skip
    paths = [str(beside)] if beside else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]).strip(":")}
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=False)
    records = _records(folder / "watch-0.jsonl")
    again = _records(folder / "replay" / "watch-0.jsonl") if replay else []
    steps = [record for record in records if record["kind"] == "step"]
    losses = [float(record["loss"]) for record in steps if record.get("loss") is not None]
    tail = losses[-max(1, int(len(losses) * _TAIL)) :]
    alarms = [_alarm(record) for record in (*again, *records) if record["kind"] == "alarm"]
    return Run(
        precision,
        ended.returncode,
        len(steps),
        sum(record.get("applied") is False for record in steps),
        losses[0] if losses else None,
        statistics.median(tail) if tail else None,
        tuple(explained(alarms)),
    )


def _records(path: Path) -> list[dict[str, Any]]:
    return list(log.read(path)) if path.is_file() else []


def _alarm(record: dict[str, Any]) -> Alarm:
    names = ("code", "name", "message", "path", "line", "step", "evidence", "advice")
    return Alarm(**{"code": "", **{name: record[name] for name in names if name in record}})
