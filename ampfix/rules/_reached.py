"""The functions of other files that a model comes to, one behind the other."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from ampfix.program import CalledElsewhere, Source
from ampfix.program.tree import walk
from ampfix.records import dataclass, replace
from ampfix.rules._evaluations import goes_over_data, is_now_and_then
from ampfix.rules._handed_models import HandedModel, known_inside
from ampfix.rules._models import alternatives, named
from ampfix.rules._places import COMPREHENSIONS, names_in
from ampfix.rules._region_switches import off_attributes, off_parameters
from ampfix.rules._remembered import per_source
from ampfix.rules._shapes import (
    LOOPS,
    backwards,
    function_of,
    handed_in,
    is_without_grad,
    loops,
    own,
    path,
    statement_of,
)

_HOPS = 3  # functions that only pass the model on


@dataclass(frozen=True)
class Reached:
    """A function of another file that the model comes to. quiet: no gradients are recorded around its call; calls: what
    a call in it runs, as far as the checked file knows; looped: a loop is around its call; off: its parameters that are
    None or False; over_data: what leads here goes over data; hidden: its caller's file does not show that it is called.
    """

    function: ast.AST
    names: frozenset[str]
    quiet: bool
    calls: Callable[[ast.Call], tuple[CalledElsewhere, ...]]
    looped: bool = False
    off: frozenset[str] = frozenset()
    hops: int = 0
    over_data: bool = False
    hidden: bool = False


def reached_by(handed: HandedModel, source: Source) -> Reached:
    found = _memory(source).roots
    key = (handed.to.calls, handed.name)
    if key not in found:
        quiet = is_without_grad(handed.call, source)
        off = off_parameters(handed.call, handed.to.definition) | off_attributes(handed.to)
        over_data = goes_over_data(function_of(handed.call, source))
        looped, to = _is_repeated(handed, source), handed.to
        found[key] = Reached(to.definition, handed.names, quiet, to.calls, looped, off, over_data=over_data)
    return found[key] if found[key].names == handed.names else replace(found[key], names=handed.names)


def _is_repeated(handed: HandedModel, source: Source) -> bool:
    """Whether a loop makes the call, and not for what a turn of it trains on."""
    around = loops(handed.call, source)
    if not around:
        return False
    if is_now_and_then(handed.call, source):
        return True
    statement = statement_of(handed.call, source)
    made = {named(target) for target in getattr(statement, "targets", ())} - {""}
    given = (names_in(one) for one in walk(around[0]) if isinstance(one, ast.Call))
    return not (each_turn_trains(around[0], source) or any(made & names and handed.name in names for names in given))


def each_turn_trains(loop: ast.AST, source: Source) -> bool:
    """Whether each turn of a loop runs a backward, in no further loop."""
    return any(loops(one, source)[:1] == [loop] for one in backwards(loop))


def all_reached(reached: Reached, source: Source) -> Iterator[Reached]:
    yield reached
    for one in passed_on(reached, reached.quiet, source):
        yield from all_reached(one, source)


def passed_on(
    reached: Reached, quiet: bool, source: Source, made: Iterable[ast.AST] | None = None
) -> Iterator[Reached]:
    """The functions that a function hands the model to, or reaches with the object that holds it. made: by which of
    its calls."""
    if reached.hops == _HOPS:
        return
    further = _further(reached, source)
    for call in own(reached.function) if made is None else made:
        for way in further.by(call, source) if isinstance(call, ast.Call) else ():
            looped = reached.looped or call in further.again
            over_data = reached.over_data or further.over_data
            yield Reached(
                *(way.function, way.names, quiet, way.calls, looped, way.off, reached.hops + 1, over_data),
                hidden=reached.hidden or way.hidden,
            )


def leads_on(call: ast.Call, reached: Reached, source: Source) -> bool:
    """Whether a call leads with the model to a function that is seen."""
    return bool(_further(reached, source).by(call, source))


@dataclass(frozen=True)
class _Way:
    """Where a call leads with the model: what of `Reached` does not depend on what is around the calls before it."""

    function: ast.AST
    names: frozenset[str]
    calls: Callable[[ast.Call], tuple[CalledElsewhere, ...]]
    off: frozenset[str]
    hidden: bool = False


class _Further:
    """Where the calls of a function lead with a model."""

    def __init__(self, reached: Reached) -> None:
        self._function, self._calls, self._off = reached.function, reached.calls, reached.off
        self._names = known_as(reached.function, reached.names)
        self._roots = {name.partition(".")[0] for name in self._names}
        self._inside = {one.name: one for one in own(reached.function) if isinstance(one, ast.FunctionDef)}
        self._known: dict[ast.Call, list[_Way]] = {}

    @cached_property
    def again(self) -> set[ast.AST]:
        return set(repeated(self._function, looped=False))

    @cached_property
    def over_data(self) -> bool:
        return goes_over_data(self._function)

    def by(self, call: ast.Call, source: Source) -> list[_Way]:
        if call not in self._known:
            self._known[call] = list(self._found(call, source))
        return self._known[call]

    def _found(self, call: ast.Call, source: Source) -> Iterator[_Way]:
        called = path(call.func)
        if called in self._inside:  # it sees the names of the function around it
            yield _Way(self._inside[called], self._names, self._calls, self._off)
        elif self._roots & {named(one).partition(".")[0] for one in (*handed_in(call), call.func)} - {""}:
            known = self._calls(call)
            is_object = "." in called.removeprefix("self.") and bool(known)
            seen = source.called_in(self._function, call) if is_object or not known else ()
            for to in known or seen:
                inner = known_inside(to, call, self._names)
                if inner and to.definition is not self._function:
                    off = off_parameters(call, to.definition, self._off)
                    yield _Way(to.definition, inner, to.calls, off, is_object and not seen)


class _Memory:
    """What was found out for one file: many calls reach the same functions, and several questions follow them. Holds
    nothing that holds the file."""

    def __init__(self) -> None:
        self.roots: dict[object, Reached] = {}
        self.further: dict[object, _Further] = {}


@per_source
def _memory(source: Source) -> _Memory:  # noqa: ARG001
    return _Memory()


def _further(reached: Reached, source: Source) -> _Further:
    found, key = _memory(source).further, (reached.function, reached.names, reached.calls, reached.off)
    if key not in found:
        found[key] = _Further(reached)
    return found[key]


def repeated(function: ast.AST, looped: bool) -> Iterator[ast.AST]:
    """What a function does again and again: in its loops, or all of it where it is called in one."""
    if looped:
        yield from own(function)
        return
    for loop in own(function):
        if isinstance(loop, (*LOOPS, *COMPREHENSIONS)):
            yield from walk(loop)


def known_as(function: ast.AST, names: frozenset[str]) -> frozenset[str]:
    """The names that a model has in a function, besides those it comes under too."""
    found = set(names)
    for node in own(function):
        if isinstance(node, ast.Assign) and found & set(alternatives(node.value)):
            found.update(filter(None, map(named, node.targets)))
    return frozenset(found)
