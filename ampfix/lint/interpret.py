"""Interprets a step program over sets of protocol states, one per feasible path.

Precision rules: an atom is decided once per path; a loop body runs twice, to see what one turn leaves for the next;
code that cannot be seen makes states unknown, and nothing is reported about unknown states. Where paths exceed the cap
the surplus is dropped: a bug may be missed, none is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ampfix.program import (
    Always,
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
    Occurrence,
    Opaque,
    Protected,
    Role,
    Routine,
)
from ampfix.protocol import (
    ENTRY,
    UNKNOWN_OPTIMIZER,
    Broken,
    Event,
    EventKind,
    OptimizerState,
    Stage,
    State,
    Violation,
    advance,
)

_MAX_PATHS = 128
_TURNS = 2
_UNNAMED = "?"  # stands for the optimizer of a routine that names none


@dataclass(frozen=True)
class _Past:
    """The events of a path, newest first."""

    do: Do
    before: _Past | None

    def newest_first(self) -> Iterator[Do]:
        past: _Past | None = self
        while past is not None:
            yield past.do
            past = past.before


@dataclass(frozen=True)
class _Path:
    state: State
    assumed: frozenset[tuple[Atom, bool]] = frozenset()
    scaled: frozenset[tuple[str, str]] = frozenset()  # (variable, the scaler that scaled what it holds)
    doubt: bool = False
    past: _Past | None = field(default=None, compare=False, hash=False)

    def truth(self, atom: Atom) -> bool | None:
        if (atom, True) in self.assumed:
            return True
        return False if (atom, False) in self.assumed else None

    def assume(self, atom: Atom, value: bool) -> _Path:
        return replace(self, assumed=self.assumed | {(atom, value)})


_NORMAL = None
_Flow = dict["JumpKind | None", "list[_Path]"]


def interpret(routine: Routine) -> tuple[Occurrence, ...]:
    """Every violation on some path of the routine, once per place and kind."""
    return _Interpreter(routine).run()


def flatten(block: Block) -> Iterator[Do]:
    """The events of a block in source order."""
    for node in block:
        if isinstance(node, Do):
            yield node
        else:
            for part in _parts(node):
                yield from flatten(part)


def _parts(node: Node) -> tuple[Block, ...]:
    if isinstance(node, Branch):
        return (node.then, node.orelse)
    if isinstance(node, Loop):
        return (node.body, node.orelse)
    if isinstance(node, Protected):
        return (node.body, *node.handlers, node.orelse, node.final)
    return (node.body,) if isinstance(node, Call) else ()


class _Interpreter:
    def __init__(self, routine: Routine) -> None:
        self._routine = routine
        self._order = list(flatten(routine.body))
        self._found: dict[tuple[object, ...], Occurrence] = {}

    def run(self) -> tuple[Occurrence, ...]:
        names = dict.fromkeys(name for do in self._order for name in do.event.optimizers)
        state = ENTRY
        for name in names or (_UNNAMED,):
            state = state.with_optimizer(name)
        self._block(self._routine.body, [_Path(state)])
        return tuple(self._found.values())

    # control flow

    def _block(self, block: Block, paths: list[_Path]) -> _Flow:
        flow: _Flow = {_NORMAL: paths}
        for node in block:
            current = flow[_NORMAL]
            if not current:
                break
            step = self._node(node, current)
            flow[_NORMAL] = _distinct(step.pop(_NORMAL, []))
            _merge(flow, step)
        return flow

    def _node(self, node: Node, paths: list[_Path]) -> _Flow:
        if isinstance(node, Do):
            return {_NORMAL: [self._do(node, path) for path in paths]}
        if isinstance(node, Branch):
            return self._branch(node, paths)
        if isinstance(node, Loop):
            return self._loop(node, paths)
        if isinstance(node, Protected):
            return self._protected(node, paths)
        if isinstance(node, Call):
            flow = self._block(node.body, paths)
            flow[_NORMAL] = flow[_NORMAL] + flow.pop(JumpKind.RETURN, [])
            return flow
        if isinstance(node, Jump):
            return {_NORMAL: [], node.kind: paths}
        return {_NORMAL: [_simple(node, path) for path in paths]}

    def _branch(self, node: Branch, paths: list[_Path]) -> _Flow:
        sides: dict[bool, list[_Path]] = {True: [], False: []}
        for path in paths:
            for decided, value in split(node.condition, path):
                sides[value].append(decided)
        flow = self._block(node.then, _distinct(sides[True]))
        _merge(flow, self._block(node.orelse, _distinct(sides[False])))
        return flow

    def _loop(self, node: Loop, paths: list[_Path]) -> _Flow:
        result: _Flow = {_NORMAL: []}
        done: list[_Path] = []
        for _ in range(_TURNS):
            turn = self._block(node.body, [_forget(path, node.targets) for path in paths])
            paths = _distinct(turn.pop(_NORMAL) + turn.pop(JumpKind.CONTINUE, []))
            result[_NORMAL] += turn.pop(JumpKind.BREAK, [])
            _merge(result, turn)
            if not node.endless:
                done += paths
        after = self._block(node.orelse, _distinct(done))
        _merge(result, after)
        return result

    def _protected(self, node: Protected, paths: list[_Path]) -> _Flow:
        flow = self._block(node.body, paths)
        raised = _distinct([*paths, *flow.pop(JumpKind.RAISE, [])]) if node.handlers else []
        _merge(flow, self._continued(node.orelse, flow))
        for handler in node.handlers:
            _merge(flow, self._block(handler, raised))
        if not node.final:
            return flow
        result: _Flow = {_NORMAL: []}
        for kind, leaving in flow.items():
            final = self._block(node.final, _distinct(leaving))
            through = final.pop(_NORMAL)
            result.setdefault(kind, []).extend(through)
            _merge(result, final)
        return result

    def _continued(self, block: Block, flow: _Flow) -> _Flow:
        return self._block(block, flow.pop(_NORMAL)) if block else {_NORMAL: flow.pop(_NORMAL)}

    # events

    def _do(self, do: Do, path: _Path) -> _Path:
        event = self._concrete(do, path)
        state, broken = advance(path.state, event)
        doubt = path.doubt and event.kind is not EventKind.BACKWARD
        for one in broken:
            self._report(one, do, path)
        if event is not do.event:
            do = replace(do, event=event)
        return replace(path, state=state, doubt=doubt, past=_Past(do, path.past))

    def _concrete(self, do: Do, path: _Path) -> Event:
        """The event on this path: whether the loss that runs backward was scaled, and whose gradients are clipped."""
        event = do.event
        if event.kind is EventKind.BACKWARD and event.scaler is None and do.subject:
            scaler = dict(path.scaled).get(do.subject)
            return event if scaler is None else replace(event, scaler=scaler)
        if event.kind is EventKind.CLIP and not event.optimizers:
            return replace(event, optimizers=self._clipped(do.subject, path.state))
        return event

    def _clipped(self, owner: str, state: State) -> tuple[str, ...]:
        owned = tuple(name for name, owners in self._routine.owners.items() if owner and owner in owners)
        if owned:
            return tuple(name for name in owned if name in state.names())
        unscaled = tuple(name for name in state.names() if state.of(name).stage is Stage.UNSCALED)
        return unscaled or state.names()

    def _report(self, broken: Broken, do: Do, path: _Path) -> None:
        key = (broken.violation, do.site.span, do.site.function, broken.optimizer)
        before = tuple(reversed(list(path.past.newest_first()))) if path.past else ()
        index = next((i for i, other in enumerate(self._order) if other is do), len(self._order))
        proven = do.site.proven and not path.doubt and _loss_is_proven(before)
        known = self._found.get(key)
        if known is None or (proven and not known.proven):
            after = tuple(self._order[index + 1 :])
            self._found[key] = Occurrence(broken, do, self._routine, before, after, proven)


def _loss_is_proven(before: tuple[Do, ...]) -> bool:
    backward = next((do for do in reversed(before) if do.event.kind is EventKind.BACKWARD), None)
    return backward is None or backward.site.proven


def split(condition: Condition, path: _Path) -> Iterator[tuple[_Path, bool]]:
    """The ways a condition can turn out on a path, each with what it decides."""
    if isinstance(condition, Always):
        yield path, condition.value
    elif isinstance(condition, Atom):
        known = path.truth(condition)
        if known is not None:
            yield path, known
        else:
            yield path.assume(condition, True), True
            yield path.assume(condition, False), False
    elif isinstance(condition, Not):
        for decided, value in split(condition.operand, path):
            yield decided, not value
    else:
        yield from _split_all(condition.operands, path, stop_at=isinstance(condition, AnyOf))


def _split_all(operands: tuple[Condition, ...], path: _Path, *, stop_at: bool) -> Iterator[tuple[_Path, bool]]:
    if not operands:
        yield path, not stop_at
        return
    for decided, value in split(operands[0], path):
        if value is stop_at:
            yield decided, stop_at
        else:
            yield from _split_all(operands[1:], decided, stop_at=stop_at)


def _forget(path: _Path, names: Iterable[str]) -> _Path:
    gone = tuple(names)
    if not gone:
        return path
    kept = frozenset(item for item in path.assumed if not any(_concerns(item[0], name) for name in gone))
    return path if len(kept) == len(path.assumed) else replace(path, assumed=kept)


def _concerns(atom: Atom, name: str) -> bool:
    return any(used == name or used.startswith((f"{name}.", f"{name}[")) for used in atom.names)


def _simple(node: Node, path: _Path) -> _Path:
    if isinstance(node, Assign):
        return _assign(node, path)
    if isinstance(node, Fresh):
        if node.role is not Role.OPTIMIZER:
            return path
        return replace(path, state=path.state.with_optimizer(node.name, **vars(OptimizerState())))
    assert isinstance(node, Opaque)
    if not node.certain:
        return replace(path, doubt=True)
    state = path.state
    for name in node.optimizers or state.names():
        state = state.with_optimizer(name, **vars(UNKNOWN_OPTIMIZER))
    return replace(path, state=state)


def _assign(node: Assign, path: _Path) -> _Path:
    scaled = dict(path.scaled)
    scaler = node.scaled_by or next((scaled[source] for source in node.sources if source in scaled), None)
    for name in node.names:
        scaled.pop(name, None)
        if scaler is not None:
            scaled[name] = scaler
    path = replace(_forget(path, node.names), scaled=frozenset(scaled.items()))
    if node.value is not None:
        for name in node.names:
            path = path.assume(Atom(name, frozenset({name})), node.value)
    return path


def _merge(flow: _Flow, more: _Flow) -> None:
    for kind, paths in more.items():
        flow.setdefault(kind, []).extend(paths)


def _distinct(paths: list[_Path]) -> list[_Path]:
    return list(dict.fromkeys(paths))[:_MAX_PATHS]


__all__ = ["Violation", "flatten", "interpret", "split"]
