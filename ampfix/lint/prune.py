"""Takes out of a step program what cannot change any protocol state, so that the interpreter meets few paths.

An assignment matters where a surviving test names it or a loss that runs backward is computed from it; a branch, loop
or call matters where something inside does. Dropping one may free another, hence the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ampfix.program import (
    AllOf,
    AnyOf,
    Assign,
    Atom,
    Block,
    Branch,
    Call,
    Condition,
    Do,
    Fresh,
    Jump,
    JumpKind,
    Loop,
    Node,
    Not,
    Opaque,
    Protected,
)
from ampfix.protocol import EventKind
from ampfix.records import replace

_ROUNDS = 6  # chains of flags computed from flags are short


def prune(block: Block) -> Block:
    """The same program without what no state depends on."""
    nodes = list(every_node(block))
    for _ in range(_ROUNDS):
        block, before = _block(block, _live_names(nodes)), len(nodes)
        nodes = list(every_node(block))
        if len(nodes) == before:
            break
    return block


def every_node(block: Block) -> Iterator[Node]:
    """Every node of a block, outer before inner, in source order."""
    pending = [*reversed(block)]
    while pending:
        node = pending.pop()
        yield node
        for part in reversed(parts(node)):
            pending += reversed(part)


def concerns_elements(loop: Loop) -> bool:
    """Whether the loop goes over optimizers."""
    named: set[str] = set()
    for node in every_node(loop.body):
        named.update(node.event.optimizers if isinstance(node, Do) else ())
        named.update(node.optimizers if isinstance(node, Opaque) else ())
    return any(name in loop.targets or name.startswith(tuple(f"{t}." for t in loop.targets)) for name in named)


def runs_backward(loop: Loop) -> bool:
    """Whether the gradients come from the turns of the loop, or may do so."""
    return any(
        (isinstance(node, Do) and node.event.kind is EventKind.BACKWARD)
        or (isinstance(node, Opaque) and node.certain and not node.optimizers)
        for node in every_node(loop.body)
    )


def parts(node: Node) -> tuple[Block, ...]:
    """The blocks inside a node."""
    if isinstance(node, Branch):
        return (node.then, node.orelse)
    if isinstance(node, Loop):
        return (node.body, node.orelse)
    if isinstance(node, Protected):
        return (node.body, *node.handlers, node.orelse, node.final)
    return (node.body,) if isinstance(node, Call) else ()


def _live_names(nodes: Sequence[Node]) -> frozenset[str]:
    """Names, and the prefixes of attribute paths, whose assignment can matter."""
    used = {name for node in nodes if isinstance(node, Branch) for name in _names(node.condition)}
    assigns = [node for node in nodes if isinstance(node, Assign)]
    if any(assign.scaled_by for assign in assigns):
        used |= _loss_names(nodes, assigns)
    return frozenset(prefix for name in used for prefix in prefixes(name))


def _loss_names(nodes: Iterable[Node], assigns: list[Assign]) -> set[str]:
    backward = (node for node in nodes if isinstance(node, Do) and node.event.kind is EventKind.BACKWARD)
    names = {do.subject for do in backward if do.subject}
    while True:
        more = {source for assign in assigns if names & set(assign.names) for source in assign.sources} - names
        if not more:
            return names
        names |= more


def _names(condition: Condition) -> Iterator[str]:
    if isinstance(condition, Atom):
        yield from condition.names
    elif isinstance(condition, Not):
        yield from _names(condition.operand)
    elif isinstance(condition, (AllOf, AnyOf)):
        for operand in condition.operands:
            yield from _names(operand)


def prefixes(name: str) -> Iterator[str]:
    """The name and the objects it is read through: a.b[0], a.b and a."""
    yield name
    for index, character in enumerate(name):
        if character in ".[":
            yield name[:index]


def _block(block: Block, live: frozenset[str]) -> Block:
    return tuple(kept for node in block if (kept := _node(node, live)) is not None)


def _node(node: Node, live: frozenset[str]) -> Node | None:
    if isinstance(node, Assign):
        names = tuple(name for name in node.names if name in live)
        return replace(node, names=names) if names else None
    if isinstance(node, Branch):
        branch = replace(node, then=_block(node.then, live), orelse=_block(node.orelse, live))
        return branch if branch.then or branch.orelse else None
    if isinstance(node, Call):
        body = _block(node.body, live)
        return Call(body) if _acts(body, JumpKind.RAISE) else None
    if isinstance(node, Loop):
        loop = replace(node, body=_block(node.body, live), orelse=_block(node.orelse, live))
        return loop if _acts(loop.body, JumpKind.RAISE, JumpKind.RETURN) or loop.orelse else None
    if isinstance(node, Protected):
        handlers = tuple(_block(handler, live) for handler in node.handlers)
        protected = Protected(_block(node.body, live), handlers, _block(node.orelse, live), _block(node.final, live))
        return protected if any(parts(protected)) else None
    return node


def _acts(block: Block, *leaving: JumpKind) -> bool:
    """Whether a block does more than jump around inside itself; `leaving` are the jumps that get out of it."""
    return any(
        isinstance(node, (Do, Opaque, Fresh, Assign)) or (isinstance(node, Jump) and node.kind in leaving)
        for node in every_node(block)
    )
