"""What one turn of a loop leaves for the next."""

from __future__ import annotations

from collections.abc import Iterable

from ampfix.lint.prune import every_node
from ampfix.program import Block, Do, Loop, Protected
from ampfix.protocol import EventKind, Grad, Stage, State

_STEPS = frozenset({EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP})


def walked(node: Loop, optimizers: Iterable[str]) -> list[str]:
    """The optimizers that each turn has another one of, so that one turn leaves nothing for the next."""
    return [
        name
        for name in optimizers
        if any(name == target or name.startswith((f"{target}.", f"{target}[")) for target in node.targets)
    ]


def tries_again(node: Loop) -> bool:
    """Whether the loop repeats a step that failed: another turn begins where this one came to nothing."""
    tried = (inner for inner in every_node(node.body) if isinstance(inner, Protected) and inner.handlers)
    return node.endless and any(_kinds(attempt.body) & _STEPS for attempt in tried)


def updates_in_between(node: Loop) -> bool:
    """Whether each turn steps and updates, on gradients from in front of the loop."""
    kinds = _kinds(node.body)
    return {EventKind.SCALER_STEP, EventKind.UPDATE} <= kinds and EventKind.BACKWARD not in kinds


def at_another(state: State, elements: Iterable[str], before: State) -> State:
    """The state at the next of the optimizers that a loop walks: as before the loop, but for a scale that has changed
    since."""
    for name in elements:
        if before.of(name).grad is Grad.SCALED:
            state = state.with_optimizer(name, **{**vars(before.of(name)), "grad": Grad.STALE, "stage": Stage.READY})
    return state


def _kinds(block: Block) -> set[EventKind]:
    return {node.event.kind for node in every_node(block) if isinstance(node, Do)}
