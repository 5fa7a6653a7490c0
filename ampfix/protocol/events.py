"""The vocabulary of a training step: what happens, and what can be wrong with it."""

from __future__ import annotations

from enum import Enum

from ampfix.records import dataclass


class EventKind(str, Enum):
    """What happens in a training step, in the field's words."""

    SCALE = "scale"
    BACKWARD = "backward"
    UNSCALE = "unscale"
    CLIP = "clip"
    READ_GRAD = "read_grad"
    EDIT_GRAD = "edit_grad"
    SCALER_STEP = "scaler_step"
    OPTIMIZER_STEP = "optimizer_step"
    UPDATE = "update"
    ZERO_GRAD = "zero_grad"
    SCHEDULER_STEP = "scheduler_step"
    AUTOCAST_ENTER = "autocast_enter"
    AUTOCAST_EXIT = "autocast_exit"
    FORWARD = "forward"
    CHECKPOINT_SAVE = "checkpoint_save"
    CHECKPOINT_LOAD = "checkpoint_load"

    __hash__ = str.__hash__  # that of an Enum is Python code, and a recorder looks kinds up at every event


class Outcome(str, Enum):
    """What became of an optimizer's last step attempt."""

    UNKNOWN = "unknown"
    APPLIED = "applied"
    SKIPPED = "skipped"

    __hash__ = str.__hash__


@dataclass(frozen=True)
class Event:
    """One event. `scaler` and `optimizers` are stable names (an attribute path, or an id at run time).

    optimizers: those concerned; for BACKWARD, those whose parameters receive gradients (empty: all known ones).
    linear: for EDIT_GRAD, the edit commutes with scaling (division by a constant, averaging).
    guarded: for SCHEDULER_STEP, it runs only when the optimizer step was applied, or once per many steps.
    scheduler: for SCHEDULER_STEP, which one, where several may step an optimizer's learning rate.
    outcome: for SCALER_STEP, whether the optimizer step was applied, where known.
    dtype: for AUTOCAST_ENTER, the region's dtype ("float16", "bfloat16"; None unknown or disabled); for FORWARD, the
        dtype its ops were seen to run in (None: that of the region it is in).
    forced: for UPDATE, a new scale is given, so that torch looks for no inf check.
    manual_scale: for BACKWARD, the loss was multiplied by hand.
    undivided: for BACKWARD, the loss is a mean over its batch that nothing divides further.
    discards: for ZERO_GRAD, nothing has used the gradients it clears.
    scrubs: for EDIT_GRAD, infinities and NaN are replaced.
    """

    kind: EventKind
    scaler: str | None = None
    optimizers: tuple[str, ...] = ()
    path: str = ""
    line: int = 0
    column: int = 0
    step: int = 0
    dtype: str | None = None
    linear: bool = False
    guarded: bool = False
    forced: bool = False
    manual_scale: bool = False
    undivided: bool = False
    discards: bool = False
    scrubs: bool = False
    outcome: Outcome = Outcome.UNKNOWN
    scheduler: str | None = None


class Violation(str, Enum):
    """An event in a state that forbids it. The value is the name rules refer to."""

    CLIP_WHILE_SCALED = "clip_while_scaled"
    READ_WHILE_SCALED = "read_while_scaled"
    EDIT_WHILE_SCALED = "edit_while_scaled"
    UNSCALE_TWICE = "unscale_twice"
    UNSCALE_IN_WINDOW = "unscale_in_window"
    RAW_STEP_ON_SCALED = "raw_step_on_scaled"
    DOUBLE_STEP = "double_step"
    STEP_ON_UNSCALED = "step_on_unscaled"
    MISSING_UPDATE = "missing_update"
    UPDATE_WITHOUT_STEP = "update_without_step"
    UPDATE_BETWEEN_STEPS = "update_between_steps"
    UPDATE_BEFORE_STEP = "update_before_step"
    SKIP_WITHOUT_UPDATE = "skip_without_update"
    SCHEDULER_ON_SKIPPED_STEP = "scheduler_on_skipped_step"
    MIXED_GRADIENTS = "mixed_gradients"
    WRONG_SCALER = "wrong_scaler"
    STEP_WITHOUT_GRADIENTS = "step_without_gradients"
    SCALER_NEVER_SCALED = "scaler_never_scaled"
    BACKWARD_IN_AUTOCAST = "backward_in_autocast"
    FP16_WITHOUT_SCALER = "fp16_without_scaler"
    SCRUB_WHILE_SCALED = "scrub_while_scaled"
    WINDOW_ZEROED = "window_zeroed"
    WINDOW_UNDIVIDED = "window_undivided"


EXPLANATIONS: dict[Violation, str] = {
    Violation.CLIP_WHILE_SCALED: (
        "gradients still carry the loss scale, so the clip threshold is compared with a norm that is too large by the "
        "scale and every step is shrunk by about that factor"
    ),
    Violation.READ_WHILE_SCALED: (
        "gradients still carry the loss scale, so the value read is too large by the scale and changes when the "
        "scale does"
    ),
    Violation.EDIT_WHILE_SCALED: (
        "gradients still carry the loss scale, so an absolute edit is divided away when the scaler unscales them"
    ),
    Violation.UNSCALE_TWICE: (
        "unscale_ was already called for this optimizer since the last update(); torch raises here"
    ),
    Violation.UNSCALE_IN_WINDOW: (
        "gradients were already unscaled and now receive another scaled backward, so the sum mixes two magnitudes and "
        "the step applies it without unscaling again"
    ),
    Violation.RAW_STEP_ON_SCALED: (
        "optimizer.step() applies gradients that belong to a GradScaler: they still carry the loss scale, or an "
        "overflow found in them is not skipped"
    ),
    Violation.DOUBLE_STEP: "the optimizer already stepped on these gradients and steps on them again",
    Violation.STEP_ON_UNSCALED: (
        "the gradients do not carry the loss scale, and the scaler divides them by it, so the update almost vanishes"
    ),
    Violation.MISSING_UPDATE: (
        "scaler.step() ran and update() did not before the next step; the scale never adapts and torch raises"
    ),
    Violation.UPDATE_WITHOUT_STEP: "update() has no inf check to look at since the last one; torch raises here",
    Violation.UPDATE_BETWEEN_STEPS: (
        "update() ran while these gradients still carried the old scale; when it changed they are unscaled by the "
        "wrong one"
    ),
    Violation.UPDATE_BEFORE_STEP: (
        "update() forgot that these gradients were already unscaled, so the scaler divides them by the scale again"
    ),
    Violation.SKIP_WITHOUT_UPDATE: (
        "the step was abandoned after unscale_ without update(), so the scaler still believes this optimizer is "
        "unscaled: the scale never backs off and the next gradients are not unscaled"
    ),
    Violation.SCHEDULER_ON_SKIPPED_STEP: (
        "the scheduler advances although the scaler skips the optimizer step on overflow, so the learning rate runs "
        "ahead of the weights"
    ),
    Violation.MIXED_GRADIENTS: (
        "scaled and unscaled gradients were added up, so no single division recovers the true gradient"
    ),
    Violation.WRONG_SCALER: (
        "the gradients belong to another scaler, whose scale they carry or whose update() has not come yet, so this "
        "one divides them by the wrong number"
    ),
    Violation.STEP_WITHOUT_GRADIENTS: (
        "no gradient reached this optimizer since zero_grad, so there is nothing to step on; torch raises in "
        "scaler.step() where every gradient is None"
    ),
    Violation.SCALER_NEVER_SCALED: "the scaler is used before it ever scaled a loss; torch raises here",
    Violation.BACKWARD_IN_AUTOCAST: (
        "backward runs inside the autocast region; its ops already follow the forward's dtypes, and ops that hooks or "
        "custom functions run there are cast a second time"
    ),
    Violation.FP16_WITHOUT_SCALER: (
        "the forward ran in float16 and backward starts from an unscaled loss, so small gradients underflow to zero"
    ),
    Violation.SCRUB_WHILE_SCALED: (
        "infinities and NaN are wiped out of the gradients before the scaler looks for them, so the step is taken with "
        "what is left and the scale never backs off"
    ),
    Violation.WINDOW_ZEROED: (
        "gradients of a micro-batch are cleared before any step has used them, so each step sees the last micro-batch "
        "alone"
    ),
    Violation.WINDOW_UNDIVIDED: (
        "several micro-batches are accumulated and each adds its whole mean loss, so the gradient is as many times too "
        "large"
    ),
}
