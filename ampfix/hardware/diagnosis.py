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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability, Finding
from ampfix.hardware.watching import AS_WRITTEN, FP32, Script, explained
from ampfix.lint.engine import check_source
from ampfix.lint.project import Project
from ampfix.watch import blame, log
from ampfix.watch.alarms import Alarm

_TAIL = 0.1  # the share of a run's last losses whose median is its result
_NEAR = 0.1
"""How much worse than fp32's a result may be. Held-out losses of right loops lie between 0.994 and 1.015 of fp32's over
60 seeds; training losses of one run are noisier, so that this is several times wider."""

_LONGEST_MESSAGE = 200

NOT_PRECISION = "not a precision problem"
STRESS = ("--stress",)
"""The option of `watch` that feeds outliers and tiny values."""


@dataclass(frozen=True)
class Run:
    """One run of the script.

    loss: the median of its last tenth, None where no loss was seen; first: its first. seconds: from the first attempt
    to the last. work: floating point operations by dtype. advice: what its ranges say about the loss scale.
    error: of the exception that ended it, type, message, path and line.
    """

    precision: str
    code: int
    attempts: int
    skipped: int
    first: float | None
    loss: float | None
    alarms: tuple[Alarm, ...]
    seconds: float = 0.0
    work: Mapping[str, int] = field(default_factory=dict)
    advice: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Whether it ended by itself, with a loss that is finite and lower than at the start."""
        if self.code or self.first is None or self.loss is None:
            return False
        return math.isfinite(self.loss) and self.loss < self.first


class NothingTrained(ValueError):
    """No run of the script came to a step of an optimizer; the message is one line."""


@dataclass(frozen=True)
class Diagnosis:
    """cause: a rule's code, NOT_PRECISION, or "" where only symptoms are known.

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


def diagnose(script: Script, out: Path, emulate: str | None, options: Sequence[str] = ()) -> Diagnosis:
    """Run the script in fresh processes, records below `out`. What it prints is dropped.

    Args:
        script: what to run; a file, for a repair to be tried.
        out: folder of the records.
        emulate: name of the device profile CUDA is emulated with; None runs on what there is.
        options: of `ampfix watch`, for every run: STRESS or none.

    Raises:
        NothingTrained: neither as written nor in fp32 was there a step of an optimizer.
    """
    run = partial(_run, emulate=emulate, options=(*options, "--ranges"))
    written = run(script, out / "as-written", precision=AS_WRITTEN, replay=True)
    fp32 = run(script, out / "fp32", precision=FP32)
    if not written.attempts and not fp32.attempts:
        raise NothingTrained(f"{script.name}: no step of an optimizer was seen{_ended(fp32)}")
    alarm = _cause(written.alarms)
    reasons = [*_reasons(written, fp32), *_time(written, fp32, emulate), *_ranges(fp32)]
    if not fp32.trains and not written.trains:  # overflows tell nothing then
        alarm = _cause([one for one in written.alarms if one.code and one.code not in blame.OF_VALUES])
    if alarm is None and written.error and not fp32.error:
        alarm = _raised(written)
    if not fp32.trains and not written.trains and alarm is None:
        return Diagnosis(NOT_PRECISION, None, (*reasons, "fp32 does not train either"), written, fp32, None)
    if alarm is None and written.trains and _is_near(written, fp32):
        return Diagnosis(NOT_PRECISION, None, (*reasons, "AMP ends where fp32 does"), written, fp32, None)
    if alarm is None and _is_all_float32(written):
        told = (*reasons, "nothing ran in half, and no step was skipped: runs differ by their random numbers at most")
        return Diagnosis(NOT_PRECISION, None, told, written, fp32, None)
    if alarm is None:
        return Diagnosis("", None, tuple(reasons), written, fp32, None)
    repaired = _repaired(script, out / "repaired", alarm, run)
    return Diagnosis(alarm.code, alarm, tuple(reasons), written, fp32, repaired)


def _is_all_float32(run: Run) -> bool:
    """Whether all work that was counted ran in float32, without a scaler that skipped."""
    return not run.skipped and set(run.work) == {"float32"}


def _cause(alarms: Sequence[Alarm]) -> Alarm | None:
    """The first alarm that names a rule; symptoms follow from it. Without one, the first symptom."""
    named = [alarm for alarm in alarms if alarm.code]
    return min(named or alarms, key=lambda alarm: alarm.step, default=None)


def _raised(written: Run) -> Alarm:
    """The exception that ended the run as written, as the symptom it is where fp32 runs on."""
    error = written.error
    message = f"{error['type']}: {_one_line(error['message'])}; in fp32 this line runs"
    advice = "keep it out of half: with torch.autocast(device_type, enabled=False), on inputs made .float()"
    return Alarm("", "raised-in-half", message, error["path"], error["line"], written.attempts, advice=advice)


def _ended(run: Run) -> str:
    """How a run ended that did not end well; empty where it did."""
    if not run.error:
        return f", ended with {run.code}" if run.code else ""
    place = f"{run.error['path']}:{run.error['line']}"
    return f", ended with {run.code}: {run.error['type']}: {_one_line(run.error['message'])} ({place})"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_MESSAGE]


def _reasons(written: Run, fp32: Run) -> list[str]:
    return [
        f"{name}: {_figure(run.first)} -> {_figure(run.loss)}, {run.skipped} of {run.attempts} steps skipped"
        + _ended(run)
        for name, run in (("as written", written), ("fp32", fp32))
    ]


def _time(written: Run, fp32: Run, emulate: str | None) -> Iterator[str]:
    """Where time goes. That of an emulated device says nothing about a real one."""
    total = sum(written.work.values())
    if total:
        shares = ", ".join(f"{value / total:.0%} {name}" for name, value in written.work.items())
        yield f"work as written: {shares}"
    if emulate is None and written.seconds and fp32.seconds:
        yield f"time: {written.seconds:.3g} s as written, {fp32.seconds:.3g} s in fp32, both watched"


def _ranges(fp32: Run) -> Iterator[str]:
    """What the gradients of the fp32 run, which no scale has touched, say about float16."""
    advice = fp32.advice
    if advice.get("recommended") is not None:
        yield f"float16 would want a loss scale of 2^{advice['recommended']} (2^{advice['highest']} overflows at last)"
    for module, reason in advice.get("wants_float32", {}).items():
        yield f"{module} wants float32: {reason}"


def _figure(value: float | None) -> str:
    return "no loss" if value is None else f"{value:.4g}"


def _is_near(run: Run, fp32: Run) -> bool:
    if run.loss is None or fp32.loss is None:
        return False
    return run.loss <= fp32.loss + _NEAR * abs(fp32.loss)


def _repaired(script: Script, folder: Path, alarm: Alarm, run: Callable[..., Run]) -> Run | None:
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
    return run(again, folder, precision=AS_WRITTEN, beside=source.resolve().parent)


def _run(
    script: Script,
    folder: Path,
    emulate: str | None,
    precision: str,
    options: Sequence[str] = (),
    *,
    replay: bool = False,
    beside: Path | None = None,
) -> Run:
    """Run under watch in a process of its own. `beside`: a folder whose modules the script imports."""
    emulated = ("--emulate", "cuda", "--profile", emulate) if emulate else ()
    command = (
        sys.executable, "-m", "ampfix", "watch", "--out", str(folder), "--precision", precision, *emulated,
        *options, *(("--replay",) if replay else ()), "--", *script.command,
    )  # fmt: skip
    paths = [str(beside)] if beside else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]).strip(":")}
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=False)
    records = _records(folder / "watch-0.jsonl")
    again = _records(folder / "replay" / "watch-0.jsonl") if replay else []
    steps = [record for record in records if record["kind"] == "step"]
    end = records[-1] if records else {}
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
        steps[-1]["t"] - steps[0]["t"] if steps else 0.0,
        end.get("flops", {}),
        end.get("advice", {}),
        next((record for record in records if record["kind"] == "error"), {}),
    )


def _records(path: Path) -> list[dict[str, Any]]:
    return list(log.read(path)) if path.is_file() else []


def _alarm(record: dict[str, Any]) -> Alarm:
    names = ("code", "name", "message", "path", "line", "step", "evidence", "advice")
    return Alarm(**{"code": "", **{name: record[name] for name in names if name in record}})
