"""A watched run: the recorder, the checks that listen to it, and the record on disk."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ampfix.protocol import Broken, Event
from ampfix.watch import alarms, blame, causes, gradients
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.facts import StepFacts
from ampfix.watch.flops import FlopCensus, doubling
from ampfix.watch.health import Health
from ampfix.watch.log import SCHEMA, Log
from ampfix.watch.recorder import Recorder
from ampfix.watch.setting import Setting
from ampfix.watch.sums import HalfSums
from ampfix.watch.trace import BadOp, StepTracer

_LOOKS = frozenset({1, *(64 * 8**power for power in range(8))})
"""Attempts that are traced in any run, for overflows that vanish again and spoil values without a trace: few, since a
traced step takes several times as long."""
_REMEMBERED = 64  # last events, by which violations are told apart


class TraceDone(BaseException):
    """The step that was to be traced has ended, and the run with it. No `except Exception` of the loop holds it up."""


def _print(alarm: Alarm) -> None:
    place = f"{alarm.path}:{alarm.line}: " if alarm.line else ""
    advice = f" ({alarm.advice})" if alarm.advice else ""
    sys.stderr.write(f"ampfix: {place}{f'{alarm.code} ' if alarm.code else ''}{alarm.name}: {alarm.message}{advice}\n")


class Watch:
    """Watch the training loops that run inside the `with` block. Their results are bit-identical.

    Args:
        out: folder for the record, `watch-RANK.jsonl`; None keeps nothing on disk.
        root: the user's code, a folder or one file; by default all that is no library.
        trace_step: trace this attempt op by op, then end the run with TraceDone: for replaying a step that went wrong.
        tell: called with each alarm; prints a line on stderr by default.
        on_step: called with the facts of each attempt at an optimizer step.
    """

    def __init__(
        self,
        out: Path | str | None = None,
        *,
        root: Path | None = None,
        trace_step: int | None = None,
        tell: Callable[[Alarm], None] = _print,
        on_step: Callable[[StepFacts], None] | None = None,
    ) -> None:
        self._log = None if out is None else Log(Path(out), _rank())
        self._tell, self._on_step = tell, on_step
        self._alarms = Alarms(self._heard)
        self._flops = FlopCensus(doubling())
        self.recorder = Recorder(self._event, root=root, flops=self._flops)
        journal = self.recorder.journal
        journal.on_step, journal.on_broken, journal.on_loss = self._stepped, self._broke, self._saw_loss
        journal.on_penalty = self._penalised
        self._health = Health(self._alarms, journal)
        self._setting = Setting(journal, self._flops, self._alarms)
        journal.on_private = self._setting.used_private
        self._flops.listeners.append(HalfSums(journal, self._alarms))
        self._events: deque[Event] = deque(maxlen=_REMEMBERED)
        self._trace_step = trace_step
        self._tracer: StepTracer | None = None
        self._loss: Any = None
        self._counted = 0
        self._began = time.monotonic()
        self.bad_op: BadOp | None = None
        self._held: Alarm | None = None  # about the bad op, until it is known that the scaler does not heal it

    @property
    def alarms(self) -> list[Alarm]:
        """What was told, in order."""
        return self._alarms.raised

    @property
    def record(self) -> Path | None:
        """The file of the record."""
        return None if self._log is None else self._log.path

    @property
    def first_bad_step(self) -> int | None:
        """The first attempt that went wrong for good; to be replayed."""
        return self._health.first_bad

    def __enter__(self) -> Watch:
        self._write("begin", {"schema": SCHEMA, "pid": os.getpid(), "rank": _rank(), "argv": sys.argv})
        self.recorder.__enter__()
        if self._trace_step == 0:
            self._start_trace()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tracer is not None:
            self._end_trace()
        self.recorder.__exit__(kind, error, traceback)
        if error is not None and not isinstance(error, (SystemExit, KeyboardInterrupt, TraceDone)):
            self._crashed(error)
        self._setting.finish()
        self._write("end", {"seconds": time.monotonic() - self._began, **self.summary()})
        if self._log is not None:
            self._log.close()

    def summary(self) -> dict[str, Any]:
        """The recorder's summary, without its curves, which the record holds step by step."""
        told = self.recorder.summary()
        for name in ("scale", "grad_norm", "loss"):
            told[name] = {key: value for key, value in told[name].items() if key != "curve"}
        return {**told, "alarms": [alarm.as_json() for alarm in self.alarms]}

    def _event(self, event: Event) -> None:
        self._setting.saw(event)
        self._events.append(event)

    def _broke(self, broken: Broken) -> None:
        alarm = alarms.of_violation(broken, list(self._events))
        code = self._setting.overrules(broken)
        if code:
            alarm = Alarm(code, rule_name(code), *_rest(alarm))
        self._alarms.raise_(alarm)

    def _penalised(self, place: tuple[str, int]) -> None:
        message = "a penalty on gradients that still carry the loss scale: it is too large by the scale, or its square"
        self._alarms.raise_(Alarm("AMP118", rule_name("AMP118"), message, *place, self.recorder.journal.attempts))

    def _saw_loss(self, loss: Any) -> None:
        if self._tracer is not None:
            self._loss = loss.detach()

    def _stepped(self, facts: StepFacts) -> None:
        if self._on_step is not None:
            self._on_step(facts)
        self._write("step", self._as_line(facts))
        self._setting.stepped(facts)
        traced, self._health.wants_look = self._tracer is not None, False
        self._health(facts, self._growth_interval())
        if traced:
            self._end_trace()
            if self._trace_step == facts.attempt:
                self._tell_bad_op()
                raise TraceDone
        if self._health.lasting:
            self._tell_bad_op()
        next_step = facts.attempt + 1
        wanted = (self._health.wants_look and not traced) or next_step in _LOOKS
        if self._trace_step == next_step or (wanted and self.bad_op is None):
            self._start_trace()

    def _as_line(self, facts: StepFacts) -> dict[str, Any]:
        line = {name: value for name, value in vars(facts).items() if value is not None}
        line["t"] = round(time.monotonic() - self._began, 4)
        if self._flops.counted > self._counted:
            self._counted = self._flops.counted
            line["flops"] = self._flops.summary()
        return line

    def _growth_interval(self) -> int | None:
        intervals = [scaler.get_growth_interval() for _, scaler in self.recorder.journal.scalers.live()]
        return int(intervals[-1]) if intervals else None

    def _start_trace(self) -> None:
        self._tracer = StepTracer(self.recorder.journal.locate)
        self._tracer.start()

    def _end_trace(self) -> None:
        tracer, self._tracer = self._tracer, None
        if tracer is None:
            return
        tracer.stop()
        suspects = [] if self._loss is None else [self._loss]
        for _, optimizer in self.recorder.journal.optimizers.live():
            suspects += gradients.gradients_of(gradients.parameters_of(optimizer))
        tracer.blame(iter(suspects))
        self._loss = None
        bad = tracer.trace.culprit
        for module in tracer.trace.poisoned:
            message = f"the running statistics of {module} are not finite: an overflow passed through it and stays"
            self._alarms.raise_(Alarm("AMP409", rule_name("AMP409"), message, step=self.recorder.journal.attempts - 1))
        attempt = self.recorder.journal.attempts - 1
        if bad is not None:
            self.bad_op = bad
            code = blame.code_of(bad)
            name = rule_name(code) or "first-bad-op"
            self._held = Alarm(code, name, blame.in_words(bad), bad.path, bad.line, attempt, _op(bad))
            # A scaler heals what overflows in backward, and skips a single bad forward; two in a row are a bug.
            if not bad.backward and not self._health.loss_is_finite:
                self._tell_bad_op()
        elif (vanished := blame.vanished(tracer.trace.origins)) is not None:
            code = blame.code_of(vanished)
            message = f"{blame.in_words(vanished)}; what follows turns that into wrong finite values"
            name = rule_name(code) or "overflow-in-forward"
            self._alarms.raise_(Alarm(code, name, message, vanished.path, vanished.line, attempt, _op(vanished)))
        elif tracer.trace.inputs_were_bad:
            self._alarms.raise_(
                Alarm("", "bad-batch-or-weights", "what came into the step was not finite already", step=attempt)
            )

    def _tell_bad_op(self) -> None:
        if self._held is not None:
            self._alarms.raise_(self._held)
            self._held = None

    def _crashed(self, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"
        path, line, in_function = _place_of(error, self.recorder)
        code = causes.code_of(text, in_function)
        self._write("error", {"type": type(error).__name__, "message": str(error)[:500], "path": path, "line": line})
        if code:
            step = self.recorder.journal.attempts
            self._alarms.raise_(Alarm(code, rule_name(code), " ".join(text.split())[:300], path, line, step))

    def _heard(self, alarm: Alarm) -> None:
        self._write("alarm", alarm.as_json())
        self._tell(alarm)

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(kind, fields)


def _rest(alarm: Alarm) -> tuple[Any, ...]:
    return alarm.message, alarm.path, alarm.line, alarm.step, alarm.evidence, alarm.advice


def _op(bad: BadOp) -> dict[str, Any]:
    inputs = [vars(item) for item in bad.inputs]
    return {"op": bad.op, "backward": bad.backward, "dtype": bad.result, "module": bad.module, "inputs": inputs}


def _place_of(error: BaseException, recorder: Recorder) -> tuple[str, int, bool]:
    """The innermost of the user's frames that an exception passed, and whether it is of an autograd.Function."""
    found, traceback = ("", 0, False), error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = recorder.journal.locate.path_of(code)
        if path is not None:
            first = next(iter(traceback.tb_frame.f_locals.values()), None)
            found = path, traceback.tb_lineno, hasattr(first, "save_for_backward")
        traceback = traceback.tb_next
    return found


def _rank() -> int:
    """This process's rank, as launchers tell it."""
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdigit() else 0
