"""A watched run: the recorder, the checks that listen to it, and the record on disk."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from ampfix.protocol import Broken, Event, EventKind
from ampfix.watch import alarms, causes
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.bad_ops import BadOps
from ampfix.watch.compiling import CompileObserver
from ampfix.watch.facts import StepFacts
from ampfix.watch.flops import FlopCensus, few
from ampfix.watch.fused import FusedMomentum
from ampfix.watch.health import Health
from ampfix.watch.log import SCHEMA, Log
from ampfix.watch.own_scale import OwnScale
from ampfix.watch.products import EvaluationLook, ProductUse
from ampfix.watch.ranks import RankObserver
from ampfix.watch.recorder import Recorder
from ampfix.watch.setting import Setting
from ampfix.watch.sums import HalfSums
from ampfix.watch.tiny import TinyModel
from ampfix.watch.trace import BadOp

_OPENS_A_STEP = frozenset({EventKind.AUTOCAST_ENTER, EventKind.ZERO_GRAD})
_REMEMBERED = 64  # last events, by which violations are told apart


class TraceDone(BaseException):
    """The step that was to be traced has ended, and the run with it. No `except Exception` of the loop holds it up."""


def _print(alarm: Alarm) -> None:
    place = f"{alarm.path}:{alarm.line}: " if alarm.line else ""
    advice = f" ({alarm.advice})" if alarm.advice else ""
    sys.stderr.write(f"ampfix: {place}{f'{alarm.code} ' if alarm.code else ''}{alarm.name}: {alarm.message}{advice}\n")


class Companion(Protocol):
    """What goes along with a watched run."""

    def begin(self, watch: Watch, /) -> None:
        """The run begins."""

    def stepped(self, facts: StepFacts) -> None:
        """An attempt at an optimizer step has ended."""

    def finish(self) -> dict[str, Any]:
        """The run has ended. Returns fields for the record's last line."""


class Watch:
    """Watch the training loops that run inside the `with` block. Their results are bit-identical.

    Args:
        out: folder for the record, `watch-RANK.jsonl`; None keeps nothing on disk.
        root: the user's code, a folder or one file; by default all that is no library.
        trace_step: trace this attempt op by op, then end the run with TraceDone: for replaying a step that went wrong.
        tell: called with each alarm; prints a line on stderr by default.
        on_step: called with the facts of each attempt at an optimizer step.
        companions: what else goes along, such as `scale_advice.Ranges`.
    """

    def __init__(
        self,
        out: Path | str | None = None,
        *,
        root: Path | None = None,
        trace_step: int | None = None,
        tell: Callable[[Alarm], None] = _print,
        on_step: Callable[[StepFacts], None] | None = None,
        companions: Sequence[Companion] = (),
    ) -> None:
        self._log = None if out is None else Log(Path(out), _rank())
        self._tell, self._on_step, self._companions = tell, on_step, companions
        self._alarms = Alarms(self._heard)
        self._flops = FlopCensus(few())
        self.recorder = Recorder(self._event, root=root, flops=self._flops)
        journal = self.recorder.journal
        journal.on_step, journal.on_broken = self._stepped, self._broke
        journal.on_penalty = self._penalised
        self._health = Health(self._alarms, journal)
        self._products, self._ranks = ProductUse(journal, self._alarms), RankObserver(journal, self._alarms)
        self._setting = Setting(journal, self._products, self._alarms)
        self._tiny = TinyModel(journal, self._products, self._alarms)
        journal.on_private, journal.on_closure = self._setting.used_private, self._setting.handed_closure
        self._evaluations = EvaluationLook(journal, self._products)
        self._flops.listeners += [HalfSums(journal, self._alarms), self._products]
        self._bad_ops = BadOps(journal, self._health, self._alarms, self._flops.listeners)
        journal.before_update, journal.after_update = self._flops.pause, self._flops.resume
        journal.on_loss, journal.before_backward = self._bad_ops.saw_loss, self._bad_ops.end_forward
        self._own_scale = OwnScale(journal, self._alarms)
        self._momentum = FusedMomentum(journal, self._alarms)
        self._compiles = CompileObserver((self._flops, self._evaluations))
        self.recorder.more += [self._evaluations, self._ranks, self._compiles]
        self._events: deque[Event] = deque(maxlen=_REMEMBERED)
        self._handlers: defaultdict[EventKind, list[Callable[[Event], None]]] = defaultdict(list)
        self._handlers[EventKind.BACKWARD] += [self._on_backward, self._momentum.saw]
        self._handlers.update({kind: [self._on_opening] for kind in _OPENS_A_STEP})
        for kind, handler in (*self._own_scale.handlers.items(), *self._setting.handlers.items()):
            self._handlers[kind].append(handler)
        self._trace_step = trace_step
        self._counted = 0
        self._looked_at_first = False
        self._began = time.monotonic()

    @property
    def alarms(self) -> list[Alarm]:
        """What was told, in order."""
        return self._alarms.raised

    @property
    def record(self) -> Path | None:
        """The file of the record."""
        return None if self._log is None else self._log.path

    @property
    def bad_op(self) -> BadOp | None:
        """The first bad op of a traced step."""
        return self._bad_ops.found

    @property
    def first_bad_step(self) -> int | None:
        """The first attempt that went wrong for good; to be replayed."""
        return self._health.first_bad

    def __enter__(self) -> Watch:
        self.write("begin", {"schema": SCHEMA, "pid": os.getpid(), "rank": _rank(), "argv": sys.argv})
        self.recorder.__enter__()
        for companion in self._companions:
            companion.begin(self)
        if self._trace_step == 0:
            self._bad_ops.trace()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bad_ops.end()
        self.recorder.__exit__(kind, error, traceback)
        if error is not None and not isinstance(error, (SystemExit, TraceDone)):
            self._crashed(error)
        self._setting.finish()
        more = {name: value for companion in self._companions for name, value in companion.finish().items()}
        self.write("end", {"seconds": time.monotonic() - self._began, **self.summary(), **more})
        if self._log is not None:
            self._log.close()

    def summary(self) -> dict[str, Any]:
        """The recorder's summary, without its curves, which the record holds step by step."""
        told = self.recorder.summary()
        for name in ("scale", "grad_norm", "loss"):
            told[name] = {key: value for key, value in told[name].items() if key != "curve"}
        return {**told, "alarms": [alarm.as_json() for alarm in self.alarms]}

    def _event(self, event: Event) -> None:
        for handler in self._handlers.get(event.kind, ()):
            handler(event)
        self._events.append(event)

    def _on_backward(self, _event: Event) -> None:
        self._ranks.settled()
        self._evaluations.end()

    def _on_opening(self, _event: Event) -> None:
        if not self.recorder.journal.attempts:
            self._look_at_first()

    def _broke(self, broken: Broken) -> None:
        alarm = alarms.of_violation(broken, list(self._events))
        code = self._setting.overrules(broken)
        if code:
            alarm = Alarm(code, rule_name(code), *_rest(alarm))
        self._alarms.raise_(alarm)

    def _penalised(self, place: tuple[str, int]) -> None:
        message = "a penalty on gradients that still carry the loss scale: it is too large by the scale, or its square"
        self._alarms.raise_(Alarm("AMP118", rule_name("AMP118"), message, *place, self.recorder.journal.attempts))

    def _stepped(self, facts: StepFacts) -> None:
        if self._on_step is not None:
            self._on_step(facts)
        for companion in self._companions:
            companion.stepped(facts)
        self.write("step", self._as_line(facts))
        self._setting.stepped(facts)
        self._momentum.stepped(facts)
        self._products.stepped()
        self._tiny.stepped(facts.attempt)
        bad_ops, traced, self._health.wants_look = self._bad_ops, self._bad_ops.tracing, False
        self._health(facts, self._growth_interval())
        bad_ops.end(facts.optimizer)
        if self._trace_step == facts.attempt:
            bad_ops.tell()
            raise TraceDone
        if self._health.lasting:
            bad_ops.tell()
        next_step = facts.attempt + 1
        if self._trace_step == next_step or (self._health.wants_look and not traced and bad_ops.found is None):
            bad_ops.trace()
        elif self._compiles.may_look() and bad_ops.wants_look(next_step):
            bad_ops.look()

    def _look_at_first(self) -> None:
        """The first step is looked at from its first region or zero_grad on: what comes before is no part of it."""
        if not self._looked_at_first and self._compiles.may_look_at_first():
            self._bad_ops.look()
        self._looked_at_first = True

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

    def _crashed(self, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"
        path, line, in_function = _place_of(error, self.recorder)
        code = causes.code_of(text, in_function)
        self.write("error", {"type": type(error).__name__, "message": str(error)[:500], "path": path, "line": line})
        if code:
            step = self.recorder.journal.attempts
            self._alarms.raise_(Alarm(code, rule_name(code), " ".join(text.split())[:300], path, line, step))

    def _heard(self, alarm: Alarm) -> None:
        self.write("alarm", alarm.as_json())
        self._tell(alarm)

    def write(self, kind: str, fields: dict[str, Any]) -> None:
        """Append a line to the record, if there is one."""
        if self._log is not None:
            self._log.write(kind, fields)


def _rest(alarm: Alarm) -> tuple[Any, ...]:
    return alarm.message, alarm.path, alarm.line, alarm.step, alarm.evidence, alarm.advice


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
