"""Losses that come scaled out of a helper: `loss = amp.scale_loss(loss)`, on the paths through it that scale."""

from __future__ import annotations

from collections.abc import Iterable

from ampfix.lint.prune import every_node
from ampfix.program import Assign, Block, Branch, Call, Do, Loop, Node, Protected
from ampfix.protocol import EventKind
from ampfix.records import replace

_OF_A_STEP = frozenset({EventKind.BACKWARD, EventKind.SCALER_STEP, EventKind.UPDATE})


def is_scaled_inside(block: Iterable[Node], behind: Block) -> bool:
    """Whether what is followed scales and does no more of a step, and what stands behind it does not know of it."""
    kinds = {one.event.kind for one in every_node(tuple(block)) if isinstance(one, Do)}
    if EventKind.SCALE not in kinds or kinds & _OF_A_STEP or not any(isinstance(one, Call) for one in block):
        return False
    return not any(
        (isinstance(one, Assign) and one.scaled_by) or (isinstance(one, Do) and one.event.scaler)
        for one in every_node(behind)
    )


def about(events: Block, subject: str) -> Block:
    """The backward passes among the events as passes of this loss."""
    return tuple(
        replace(one, subject=subject) if isinstance(one, Do) and one.event.kind is EventKind.BACKWARD else one
        for one in events
    )


def marked(block: Iterable[Node], names: tuple[str, ...]) -> Block:
    """The block, where each scaling leaves its result in these names."""
    found: list[Node] = []
    for node in block:
        found.append(_marked(node, names))
        if isinstance(node, Do) and node.event.kind is EventKind.SCALE:
            found.append(Assign(names, scaled_by=node.event.scaler))
    return tuple(found)


def _marked(node: Node, names: tuple[str, ...]) -> Node:
    if isinstance(node, Branch):
        return replace(node, then=marked(node.then, names), orelse=marked(node.orelse, names))
    if isinstance(node, Loop):
        return replace(node, body=marked(node.body, names), orelse=marked(node.orelse, names))
    if isinstance(node, Protected):
        handlers = tuple(marked(one, names) for one in node.handlers)
        return replace(
            node,
            body=marked(node.body, names),
            handlers=handlers,
            orelse=marked(node.orelse, names),
            final=marked(node.final, names),
        )
    return replace(node, body=marked(node.body, names)) if isinstance(node, Call) else node
