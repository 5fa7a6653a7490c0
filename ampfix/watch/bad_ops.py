"""Which steps of a run are looked into op by op, and what is told of what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ampfix.watch import blame, gradients
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.health import Health
from ampfix.watch.journal import Journal
from ampfix.watch.look import ForwardLook
from ampfix.watch.modes import OpListener
from ampfix.watch.trace import BadOp, StepTracer

_LOOKS = frozenset({1, *(64 * 8**power for power in range(8))})
"""Attempts that are looked at in any run, for overflows that vanish again and spoil values without a trace. The first
one is looked at from its first region or zero_grad on; where something may be compiled in it, the second one is."""


class BadOps:
    """Starts a look or a trace between two steps, and ends it behind the next one.

    Args:
        listeners: who else sees ops of the steps that are looked at.
    """

    def __init__(self, journal: Journal, health: Health, alarms: Alarms, listeners: Sequence[OpListener]) -> None:
        self._journal, self._health, self._alarms, self._listeners = journal, health, alarms, listeners
        self._tracer: StepTracer | None = None
        self._loss: Any = None
        self._held: Alarm | None = None  # about the bad op, until it is known that the scaler does not heal it
        self._looked = False
        self.found: BadOp | None = None

    @property
    def tracing(self) -> bool:
        """Whether the step under way is traced."""
        return self._tracer is not None and not isinstance(self._tracer, ForwardLook)

    def wants_look(self, attempt: int) -> bool:
        return attempt in _LOOKS and self.found is None and not (attempt == 1 and self._looked)

    def look(self) -> None:
        """Look at the next step's forward."""
        self._looked = True
        self._start(ForwardLook(self._journal.locate, self._listeners))

    def trace(self) -> None:
        """Trace the next step."""
        self._start(StepTracer(self._journal.locate))

    def _start(self, tracer: StepTracer) -> None:
        if self._tracer is None:
            self._tracer = tracer
            tracer.start()

    def end_forward(self) -> None:
        """A backward begins. Of the first step all ops are seen, of later ones the listeners see counted rounds."""
        if isinstance(self._tracer, ForwardLook) and self._journal.attempts:
            self._tracer.stop()

    def saw_loss(self, loss: Any) -> None:
        if self._tracer is not None:
            self._loss = loss.detach()

    def end(self, optimizer: str = "") -> None:
        """The step has ended, that of this optimizer; "" for a run that has ended in the middle of one."""
        tracer, self._tracer = self._tracer, None
        if tracer is None:
            return
        tracer.stop()
        suspects = [] if self._loss is None else [self._loss]
        for name, known in self._journal.optimizers.live():
            if name == optimizer or not optimizer:
                suspects += gradients.gradients_of(gradients.parameters_of(known))
        tracer.blame(iter(suspects))
        self._loss = None
        self._judge(tracer)

    def _judge(self, tracer: StepTracer) -> None:
        trace, attempt = tracer.trace, max(self._journal.attempts - 1, 0)
        for module in trace.poisoned:
            message = f"the running statistics of {module} are not finite: an overflow passed through it and stays"
            self._alarms.raise_(Alarm("AMP409", rule_name("AMP409"), message, step=attempt))
        if trace.culprit is not None:
            bad = self.found = trace.culprit
            self._held = _alarm(bad, blame.in_words(bad), "first-bad-op", attempt)
            # A scaler heals what overflows in backward, and skips a single bad forward; two in a row are a bug.
            if not bad.backward and not self._health.loss_is_finite:
                self.tell()
            return
        vanished = blame.vanished(trace.origins)
        if vanished is not None and self._health.loss_is_finite:
            message = f"{blame.in_words(vanished)}; what follows turns that into wrong finite values"
            self._alarms.raise_(_alarm(vanished, message, "overflow-in-forward", attempt))
        elif trace.inputs_were_bad:
            message = "what came into the step was not finite already"
            self._alarms.raise_(Alarm("", "bad-batch-or-weights", message, step=attempt))

    def tell(self) -> None:
        """The scaler does not heal what was found."""
        if self._held is not None:
            self._alarms.raise_(self._held)
            self._held = None


def _alarm(bad: BadOp, message: str, without_rule: str, attempt: int) -> Alarm:
    code = blame.code_of(bad)
    inputs = [vars(item) for item in bad.inputs]
    evidence = {"op": bad.op, "backward": bad.backward, "dtype": bad.result, "module": bad.module, "inputs": inputs}
    return Alarm(code, rule_name(code) or without_rule, message, bad.path, bad.line, attempt, evidence)
