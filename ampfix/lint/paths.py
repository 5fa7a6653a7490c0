"""One way through a step program: the protocol state on it, and what it has assumed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from ampfix.lint.atoms import Atoms
from ampfix.program import Always, AnyOf, Assign, Atom, Condition, Do, Fresh, Node, Not, Opaque, Role
from ampfix.protocol import UNKNOWN_OPTIMIZER, OptimizerState, State
from ampfix.records import dataclass, replace

_SWITCH = re.compile(r"amp|fp16|float16|half|mixed|bf16|bfloat16|precision|scaler|autocast|enabled", re.IGNORECASE)


@dataclass(frozen=True)
class Past:
    """The events of a path, newest first."""

    do: Do
    before: Past | None

    def newest_first(self) -> Iterator[Do]:
        past: Past | None = self
        while past is not None:
            yield past.do
            past = past.before


class Path:
    """`state` must be interned: equal states are one object.

    true, false: the atoms (as bits) assumed to be so. scaled: (variable, the scaler that scaled what it holds). doubt:
    code that was not seen ran since the last backward.
    """

    __slots__ = ("doubt", "false", "past", "scaled", "state", "true")

    def __init__(
        self,
        state: State,
        true: int = 0,
        false: int = 0,
        scaled: frozenset[tuple[str, str]] = frozenset(),
        doubt: bool = False,
        past: Past | None = None,
    ) -> None:
        self.state, self.true, self.false = state, true, false
        self.scaled, self.doubt, self.past = scaled, doubt, past

    @property
    def key(self) -> tuple[object, ...]:
        """Paths with equal keys have the same future."""
        return id(self.state), self.true, self.false, self.scaled, self.doubt

    def assume(self, bit: int, value: bool) -> Path:
        """The path on which the atom has this value."""
        true, false = (self.true | bit, self.false) if value else (self.true, self.false | bit)
        return Path(self.state, true, false, self.scaled, self.doubt, self.past)

    def keeping(self, atoms: int) -> Path:
        """The path without its assumptions about other atoms than these."""
        if not (self.true | self.false) & ~atoms:
            return self
        return Path(self.state, self.true & atoms, self.false & atoms, self.scaled, self.doubt, self.past)

    def going_on(self, state: State, *, doubt: bool, past: Past | None) -> Path:
        """The path after an event."""
        return Path(state, self.true, self.false, self.scaled, doubt, past)

    def before(self, past: Past | None) -> Path:
        """The path as it is, with a shorter past."""
        return Path(self.state, self.true, self.false, self.scaled, self.doubt, past)

    def events(self) -> Iterator[Do]:
        """What happened on the path, newest first."""
        return self.past.newest_first() if self.past is not None else iter(())


def split(condition: Condition, path: Path, atoms: Atoms) -> Iterator[tuple[Path, bool]]:
    """The ways a condition can turn out on a path, each with what it decides."""
    if isinstance(condition, Always):
        yield path, condition.value
    elif isinstance(condition, Atom):
        bit = atoms.bit(condition)
        if bit & path.true:
            yield path, True
        elif bit & path.false:
            yield path, False
        else:
            yield path.assume(bit, True), True
            yield path.assume(bit, False), False
    elif isinstance(condition, Not):
        for decided, value in split(condition.operand, path, atoms):
            yield decided, not value
    else:
        yield from _split_all(condition.operands, path, atoms, stop_at=isinstance(condition, AnyOf))


def _split_all(
    operands: tuple[Condition, ...], path: Path, atoms: Atoms, *, stop_at: bool
) -> Iterator[tuple[Path, bool]]:
    if not operands:
        yield path, not stop_at
        return
    for decided, value in split(operands[0], path, atoms):
        if value is stop_at:
            yield decided, stop_at
        else:
            yield from _split_all(operands[1:], decided, atoms, stop_at=stop_at)


def hangs_on_a_switch(do: Do, path: Path, earlier: list[Do], unclear: Set[str]) -> bool:
    """Whether a flag for AMP kept the path from a use of a scaler that may be disabled by the same flag.

    earlier: the events in front of this one in the source. unclear: scalers whose switch is not seen.
    """
    if not unclear:
        return False
    passed, here = {id(past.site) for past in path.events()}, set(do.site.tests)
    return any(
        other.event.scaler in unclear
        and id(other.site) not in passed
        and any(_SWITCH.search(test) for test in other.site.tests if test not in here)
        for other in earlier
    )


def assign(node: Assign, path: Path, atoms: Atoms) -> Path:
    """The path after an assignment."""
    path = path.keeping(~atoms.concerned(node.names))
    if path.scaled or node.scaled_by:
        scaled = dict(path.scaled)
        scaler = node.scaled_by or next((scaled[source] for source in node.sources if source in scaled), None)
        for name in node.names:
            scaled.pop(name, None)
            if scaler is not None:
                scaled[name] = scaler
        path = Path(path.state, path.true, path.false, frozenset(scaled.items()), path.doubt, path.past)
    if node.value is not None:
        for name in node.names:
            path = path.assume(atoms.bit(Atom(name, frozenset({name}))), node.value)
    return path


def behind(node: Node, state: State) -> State:
    """The state behind code that cannot be seen, or behind the construction of an optimizer."""
    if isinstance(node, Opaque):
        for name in state.names():
            if not node.optimizers or name.partition("[")[0] in node.optimizers or name in node.optimizers:
                state = state.with_optimizer(name, **vars(UNKNOWN_OPTIMIZER))
        return replace(state, unchecked=frozenset())
    if isinstance(node, Fresh) and node.role is Role.OPTIMIZER:
        return state.with_optimizer(node.name, **vars(OptimizerState()))
    return state
