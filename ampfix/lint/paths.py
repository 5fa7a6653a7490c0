"""One way through a step program: the protocol state on it, and what it has assumed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Set
from itertools import takewhile
from typing import TypeGuard

from ampfix.lint.atoms import Atoms
from ampfix.patterns import pattern
from ampfix.program import Always, AnyOf, Assign, Atom, Condition, Do, Fresh, Node, Not, Opaque, Role
from ampfix.program.tree import unparsed
from ampfix.protocol import UNKNOWN_OPTIMIZER, Event, EventKind, Grad, OptimizerState, Stage, State
from ampfix.records import dataclass, replace

_DONE = pattern(r"unscaled|has_unscale|did_unscale", re.IGNORECASE)
_GIVEN_UP = pattern(r"(?:not [\w.]*isfinite|[\w.]*is(?:nan|inf))\(")
# What a run is set to, and stays: a flag for AMP.
SWITCH = pattern(r"amp|fp16|float16|half|mixed|bf16|bfloat16|precision|scaler|autocast|enabled", re.IGNORECASE)


_MAX_PATHS = 64


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


def split(condition: Condition, paths: Iterable[Path], atoms: Atoms) -> tuple[list[Path], list[Path]]:
    """The paths on which a condition holds, and those on which it does not, where no two paths are alike."""
    used = atoms.used(condition)
    known: dict[tuple[int, int], list[_Way]] = {}
    holds: list[Path] = []
    fails: list[Path] = []
    for path in paths:  # half a million times in a large project
        so, not_so = key = path.true & used, path.false & used
        ways = known.get(key)
        if ways is None:
            ways = known[key] = [
                (true & ~so, false & ~not_so, value) for true, false, value in _ways(condition, *key, atoms)
            ]
        for true, false, value in ways:
            further = path
            if true or false:
                further = Path(path.state, path.true | true, path.false | false, path.scaled, path.doubt, path.past)
            (holds if value else fails).append(further)
    if len(known) > 1:  # what one path assumed another may have assumed before
        return distinct(holds), distinct(fails)
    return holds[:_MAX_PATHS], fails[:_MAX_PATHS]


_Way = tuple[int, int, bool]
"""One way a condition turns out: the atoms that have to be true for it, those that have to be false, its value."""


def _ways(condition: Condition, true: int, false: int, atoms: Atoms) -> Iterator[_Way]:
    """What a condition may come to where these atoms are so."""
    if isinstance(condition, Always):
        yield true, false, condition.value
    elif isinstance(condition, Atom):
        bit = atoms.bit(condition)
        if not bit & false:
            yield true | bit, false, True
        if not bit & true:
            yield true, false | bit, False
    elif isinstance(condition, Not):
        for so, not_so, value in _ways(condition.operand, true, false, atoms):
            yield so, not_so, not value
    else:
        yield from _ways_of_all(condition.operands, true, false, atoms, stop_at=isinstance(condition, AnyOf))


def _ways_of_all(
    operands: tuple[Condition, ...], true: int, false: int, atoms: Atoms, *, stop_at: bool
) -> Iterator[_Way]:
    if not operands:
        yield true, false, not stop_at
        return
    for so, not_so, value in _ways(operands[0], true, false, atoms):
        if value is stop_at:
            yield so, not_so, stop_at
        else:
            yield from _ways_of_all(operands[1:], so, not_so, atoms, stop_at=stop_at)


def hangs_on_a_switch(do: Do, path: Path, earlier: list[Do], unclear: Set[str]) -> bool:
    """Whether a flag kept the path from a use of a scaler: one for AMP that may disable the scaler as well, or one that
    tells that the gradients are unscaled already.

    earlier: the events in front of this one in the source. unclear: scalers whose switch is not seen.
    """
    passed, here = {id(past.site) for past in path.events()}, set(do.site.tests)
    recent = {id(past.site) for past in _behind_the_backward(path)}
    for other in earlier:
        tests = [test for test in _tests(other) if test not in here] if other.event.scaler else []
        if id(other.site) not in recent and any(_DONE.search(test) for test in tests):
            return True
        given_up = any(map(_GIVEN_UP.match, tests))  # which is what kept the path from it
        is_unclear = other.event.scaler in unclear and any(map(SWITCH.search, tests))
        if is_unclear and not given_up and id(other.site) not in passed:
            return True
    return False


def is_left_when_done(statement: ast.stmt) -> TypeGuard[ast.If]:
    """`if self.unscaled: return`: what follows runs under the opposite test."""
    if not isinstance(statement, ast.If) or statement.orelse or not _DONE.search(unparsed(statement.test)):
        return False
    return isinstance(statement.body[-1], (ast.Return, ast.Continue))


def _behind_the_backward(path: Path) -> Iterator[Do]:
    """The events on these gradients: what an earlier turn unscaled is another matter."""
    return takewhile(lambda past: past.event.kind is not EventKind.BACKWARD, path.events())


def _tests(do: Do) -> tuple[str, ...]:
    """The tests around an event, those in another file included."""
    origin = do.site.origin
    return (
        do.site.tests if origin is None else (*do.site.tests, *(test for site in origin.way() for test in site.tests))
    )


def assign(node: Assign, paths: Iterable[Path], atoms: Atoms) -> list[Path]:
    """The paths after an assignment."""
    kept, bits = ~atoms.concerned(node.names), 0
    for name in node.names if node.value is not None else ():
        bits |= atoms.bit(Atom(name, frozenset({name})))
    true, false = (bits, 0) if node.value else (0, bits)
    found: list[Path] = []
    for path in paths:
        scaled = _rescaled(node, path.scaled) if path.scaled or node.scaled_by else path.scaled
        found.append(
            Path(path.state, path.true & kept | true, path.false & kept | false, scaled, path.doubt, path.past)
        )
    return found


def _rescaled(node: Assign, held: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """What holds a scaled loss behind an assignment."""
    scaled = dict(held)
    scaler = node.scaled_by or next((scaled[source] for source in node.sources if source in scaled), None)
    for name in node.names:
        scaled.pop(name, None)
        if scaler is not None:
            scaled[name] = scaler
    return frozenset(scaled.items())


def behind(node: Node, state: State) -> State:
    """The state behind code that cannot be seen, or behind the construction of an optimizer or what keeps one."""
    if isinstance(node, Opaque):
        for name in state.names():
            if not node.optimizers or name.partition("[")[0] in node.optimizers or name in node.optimizers:
                state = state.with_optimizer(name, **vars(UNKNOWN_OPTIMIZER))
        return replace(state, unchecked=frozenset())
    if isinstance(node, Fresh) and node.role is Role.OPTIMIZER:
        return state.with_optimizer(node.name, **vars(OptimizerState()))
    if isinstance(node, Fresh) and node.role is Role.OTHER:
        for name in state.names():
            if name.startswith(f"{node.name}."):
                state = state.with_optimizer(name, **vars(OptimizerState()))
    return state


def feasible(state: State, event: Event) -> State:
    """The state in front of an event. Nobody unscales without gradients: tests that are not seen rule that out."""
    held = {name: state.of(name) for name in event.optimizers if event.kind is EventKind.UNSCALE}
    empty = [name for name, now in held.items() if now.grad is Grad.NONE and now.stage in (Stage.READY, Stage.UNKNOWN)]
    return behind(Opaque(tuple(empty)), state) if empty else state


def future(path: Path) -> object:
    """What decides how a path goes on. Its past only says how it came here."""
    return id(path.state), path.true, path.false, path.scaled, path.doubt


def distinct(paths: list[Path], live: int = -1) -> list[Path]:
    """The paths whose future may differ, without what they assume about other atoms than these."""
    if len(paths) < 2:
        return [path.keeping(live) for path in paths]
    found: dict[object, Path] = {}
    for path in paths:  # a million times in a large project
        state, true, false = path.state, path.true & live, path.false & live
        key = (id(state), true, false, path.scaled, path.doubt)
        if key not in found:
            is_same = true == path.true and false == path.false
            found[key] = path if is_same else Path(state, true, false, path.scaled, path.doubt, path.past)
    return list(found.values())[:_MAX_PATHS]
