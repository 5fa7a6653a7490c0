"""What a training step has done so far: the gradients of each optimizer, and torch's own bookkeeping."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


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
    """One optimizer. The last four fields count step attempts since its scheduler advanced."""

    grad: Grad = Grad.NONE
    stage: Stage = Stage.READY
    inf_checked: bool = False
    backward_since_step: bool = False
    applied: bool = False
    skipped: bool = False
    uncertain: bool = False
    scheduled: bool = False


UNKNOWN_OPTIMIZER = OptimizerState(Grad.UNKNOWN, Stage.UNKNOWN, inf_checked=True, backward_since_step=True)


@dataclass(frozen=True)
class State:
    """Hashable, so that the static witness can carry sets of them.

    owners: (optimizer, scaler) pairs, learnt from unscale_ and step. default: the state of an optimizer not seen yet.
    """

    optimizers: tuple[tuple[str, OptimizerState], ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    scaled: frozenset[str] = frozenset()  # scalers that have scaled a loss
    autocast: tuple[str | None, ...] = ()
    half_forward: bool = False
    default: OptimizerState = OptimizerState()

    def of(self, optimizer: str) -> OptimizerState:
        return dict(self.optimizers).get(optimizer, self.default)

    def with_optimizer(self, optimizer: str, **changes: object) -> State:
        table = dict(self.optimizers)
        table[optimizer] = replace(self.of(optimizer), **changes)  # type: ignore[arg-type]
        return replace(self, optimizers=tuple(sorted(table.items())))

    def owned_by(self, scaler: str | None) -> tuple[str, ...]:
        return tuple(optimizer for optimizer, owner in self.owners if owner == scaler)

    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.optimizers)

    @property
    def starts_unknown(self) -> bool:
        return self.default.grad is Grad.UNKNOWN


INITIAL = State()
"""The start of a run: nothing has happened."""

ENTRY = State(default=UNKNOWN_OPTIMIZER)
"""The start of an analysis in the middle of a program: anything may have happened before."""
