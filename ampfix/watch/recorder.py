"""Puts the observers together: a context manager that records whatever training loop runs inside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from ampfix.protocol import EXPLANATIONS, Event
from ampfix.watch.backward import BackwardObserver
from ampfix.watch.checkpoints import CheckpointObserver
from ampfix.watch.clipping import ClipObserver, ClipOracle
from ampfix.watch.facts import StepFacts
from ampfix.watch.flops import FlopCensus
from ampfix.watch.journal import Journal, Occurrence
from ampfix.watch.optimizers import OptimizerObserver, SchedulerObserver
from ampfix.watch.patches import Patches
from ampfix.watch.position import Locator
from ampfix.watch.regions import RegionObserver
from ampfix.watch.scalers import ScalerObserver
from ampfix.watch.usage import GradientUse


def _ignore(*_: Any) -> None:
    pass


class Observer(Protocol):
    """What listens by wrapping functions of torch."""

    def install(self, patches: Patches) -> None: ...


class Recorder:
    """Record the training loops that run inside the `with` block.

    Args:
        on_event: called with every event as it happens, in the thread that caused it; must be quick.
        on_attempt: called after each attempt at an optimizer step with its number, counted from 0, and whether it was
            applied (None: cannot be told). Weights have their new values then.
        root: the user's code, a folder or one file; positions are given relative to it.
        flops: the census of work by dtype, where it shall count other rounds than it does by itself.

    `more` takes further observers until it is entered. One recorder at a time; one recorder records once.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None] = _ignore,
        on_attempt: Callable[[int, bool | None], None] = _ignore,
        root: Path | None = None,
        flops: FlopCensus | None = None,
    ) -> None:
        self._flops = flops or FlopCensus()
        self.more: list[Observer] = []
        self._told = on_attempt
        self.journal = Journal(on_event, self._attempted, Locator(root))
        self._oracle = ClipOracle(self.journal)
        self._patches = Patches()
        self._entered = False

    def __enter__(self) -> Recorder:
        if self._entered:
            raise RuntimeError("this Recorder has recorded already: make another one")
        self._entered = True
        journal, oracle, patches = self.journal, self._oracle, self._patches
        scalers = ScalerObserver(journal)
        use = GradientUse(journal)
        optimizers = OptimizerObserver(journal, oracle)
        observers: Sequence[Observer] = (
            RegionObserver(journal, use),
            scalers,
            optimizers,
            BackwardObserver(journal, scalers, optimizers, oracle, use),
            ClipObserver(journal, oracle, use),
            use,
            SchedulerObserver(journal),
            CheckpointObserver(journal),
            *self.more,
        )
        try:
            for observer in observers:
                observer.install(patches)
        except BaseException:
            patches.undo()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._flops.stop()
        self._patches.undo()

    def _attempted(self, optimizer: str, attempt: int, applied: bool | None) -> None:
        self._told(attempt, applied)
        self._flops.after_attempt(optimizer)

    @property
    def violations(self) -> list[Occurrence]:
        """The protocol's violations so far, each once per place in the code, in order."""
        return self.journal.violations

    @property
    def steps(self) -> list[StepFacts]:
        """Attempts at optimizer steps, thinned evenly to a bounded number."""
        return list(self.journal.steps.points)

    def summary(self) -> dict[str, Any]:
        """What the run adds up to, JSON-able and of bounded size. Norms and losses are unscaled."""
        journal = self.journal
        scales = journal.scales.summary()
        return {
            "schema": 1,
            "events": journal.events,
            "attempts": journal.attempts,
            "applied": journal.applied,
            "skipped": journal.skipped,
            "first_skipped_step": journal.first_skip,
            "optimizers": journal.optimizers.count,
            "scalers": journal.scalers.count,
            "final_scale": None if journal.final_scale is None else float(journal.final_scale),
            "scale_min": scales["min"],
            "scale_max": scales["max"],
            "scale": scales,
            "max_grad_norm": journal.grad_norms.summary()["max"],
            "grad_norm": journal.grad_norms.summary(),
            "loss": journal.losses.summary(),
            "clip": self._oracle.facts.summary(),
            "flops": self._flops.summary(),
            "flop_rounds": self._flops.counted,
            "half_products": self._flops.alignment.summary(),
            "violations": [_describe(occurrence) for occurrence in journal.violations],
        }


def _describe(occurrence: Occurrence) -> dict[str, Any]:
    event = occurrence.broken.event
    return {
        "violation": occurrence.broken.violation.value,
        "explanation": EXPLANATIONS[occurrence.broken.violation],
        "path": event.path,
        "line": event.line,
        "first_step": event.step,
        "count": occurrence.count,
    }
