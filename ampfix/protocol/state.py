"""What a training step has done so far: the gradients of each optimizer, and torch's own bookkeeping."""

from __future__ import annotations

from enum import Enum

from ampfix.protocol.events import Event, Violation
from ampfix.records import dataclass, replace


class Grad(str, Enum):
    """What `.grad` of an optimizer's parameters holds."""

    UNKNOWN = "unknown"  # where an analysis starts; nothing is reported about it
    NONE = "none"
    SCALED = "scaled"
    STALE = "stale"  # scaled by a scale that update() may have changed since
    UNSCALED = "unscaled"
    FORGOTTEN = "forgotten"  # unscaled, but update() made the scaler forget it
    MIXED = "mixed"


class Stage(str, Enum):
    """torch's OptState of an optimizer inside its scaler."""

    UNKNOWN = "unknown"
    READY = "ready"
    UNSCALED = "unscaled"
    STEPPED = "stepped"


@dataclass(frozen=True)
class OptimizerState:
    """One optimizer.

    scale_of: the scaler whose scale the gradients carry, while they are SCALED or STALE.
    applied to several: the step attempts since a scheduler advanced (several: more than one). scheduled: the schedulers
    that advanced since the last attempt.
    spoilt: what a backward did to gradients that were there before, and that backward. It does harm when they are used;
    zero_grad takes it away.
    """

    grad: Grad = Grad.NONE
    scale_of: str | None = None
    stage: Stage = Stage.READY
    backward_since_step: bool = False
    applied: bool = False
    skipped: bool = False
    uncertain: bool = False
    several: bool = False
    scheduled: frozenset[str | None] = frozenset()
    spoilt: tuple[Violation, Event] | None = None

    @property
    def carries_scale(self) -> bool:
        return self.grad in (Grad.SCALED, Grad.STALE)


UNKNOWN_OPTIMIZER = OptimizerState(Grad.UNKNOWN, stage=Stage.UNKNOWN, backward_since_step=True)


@dataclass(frozen=True)
class State:
    """Hashable, so that the static witness can carry sets of them.

    owners: (optimizer, scaler) pairs, learnt from unscale_ and step. scaled: scalers that have scaled a loss.
    unchecked: scalers with no inf check since the last update(). default: the state of an optimizer not seen yet.
    from_start: nothing happened before the first event, so what was not seen is not there.
    """

    optimizers: tuple[tuple[str, OptimizerState], ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    scaled: frozenset[str] = frozenset()
    unchecked: frozenset[str] = frozenset()
    autocast: tuple[str | None, ...] = ()
    half_forward: bool = False
    default: OptimizerState = OptimizerState()
    from_start: bool = True

    def of(self, optimizer: str | None) -> OptimizerState:
        """The state of an optimizer; None stands for all that were not seen yet."""
        for name, state in self.optimizers:
            if name == optimizer:
                return state
        return self.default

    def with_optimizer(self, optimizer: str | None, **changes: object) -> State:
        changed = replace(self.of(optimizer), **changes)  # type: ignore[arg-type]
        if optimizer is None:
            return replace(self, default=changed)
        table = dict(self.optimizers)
        table[optimizer] = changed
        return replace(self, optimizers=tuple(sorted(table.items())))

    def owner(self, optimizer: str | None) -> str | None:
        """The scaler that last unscaled or stepped the optimizer."""
        for name, scaler in self.owners:
            if name == optimizer:
                return scaler
        return None

    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.optimizers)


@dataclass(frozen=True)
class Broken:
    """A violation, the event that completes it, and the optimizer it concerns."""

    violation: Violation
    event: Event
    optimizer: str | None = None


INITIAL = State()
"""The start of a run: nothing has happened."""

ENTRY = State(default=UNKNOWN_OPTIMIZER, from_start=False)
"""The start of an analysis in the middle of a program: anything may have happened before."""
