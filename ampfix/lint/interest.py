"""Which functions reach an event, so that only those are lowered and inlined.

Reach goes by name: a function reaches what any function of the same name as something it mentions reaches, in its own
file and in those it imports. Too much is harmless, too little would hide events.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from ampfix.lint.files import SourceFile
from ampfix.lint.glimpse import Glimpse, Place
from ampfix.lint.neighbours import Neighbours
from ampfix.lint.symbols import CLIPS
from ampfix.records import dataclass

_EVENTS = frozenset({"backward", "unscale_", "step", "update", "zero_grad", "scale", "autocast", "custom_fwd", "grad"})
_CLIPS = frozenset(symbol.rpartition(".")[2] for symbol in CLIPS)
_WATCHED = _EVENTS | _CLIPS
_BY_NAME = _WATCHED - {"step", "update", "scale"}  # of these only calls that look right count
# Without one of these no state that a rule looks at arises: nothing is scaled and no gradient appears.
_ESSENTIAL = frozenset({"backward", "unscale_", "scale"})
_FINISHING = frozenset({"step", "update"})
_FILES_DEEP = 2  # imports of imports: what lies further away is seen where it is checked itself

_Node = TypeVar("_Node")
_Marks = dict[_Node, frozenset[str]]


class Functions:
    """Functions of the checked file, and of others by their places: those are not parsed before they are asked for."""

    def __init__(self, own: Collection[ast.AST], others: Collection[Place]) -> None:
        self.own, self._others = frozenset(own), frozenset(others)

    def __contains__(self, node: object) -> bool:
        return node in self.own or (getattr(node, "name", ""), getattr(node, "lineno", 0)) in self._others


@dataclass(frozen=True)
class Reach:
    """What leads to an autocast region. functions: of the checked file and others; names: of those of others; classes:
    the names of classes with such methods."""

    functions: Functions
    names: frozenset[str]
    classes: frozenset[str]


NOWHERE = Reach(Functions((), ()), frozenset(), frozenset())


@dataclass(frozen=True)
class Interest:
    """inlined: functions worth following from a call, in any file. analysed: those of the checked file worth analysing
    by themselves. regions: what leads to autocast."""

    inlined: Functions
    analysed: frozenset[ast.AST]
    regions: Reach = NOWHERE


NOTHING = Interest(Functions((), ()), frozenset())


def interest(neighbours: Neighbours) -> Interest:
    """Find both sets."""
    survey = _Survey(neighbours)
    own = survey.own()
    analysed = (node for node, found in own.items() if found & _ESSENTIAL or found >= _FINISHING)
    inlined = Functions(own, {place for marks in survey.elsewhere() for place in marks})
    return Interest(inlined, frozenset(analysed), survey.regions(own))


class _Survey:
    """What functions reach: those of the checked file by its tree, those of others by their text."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._glimpses: dict[SourceFile, Glimpse] = {}
        self._known: dict[tuple[SourceFile, int], _Marks[Place]] = {}

    def own(self) -> _Marks[ast.AST]:
        """Function of the checked file -> the events it may reach."""
        file = self._neighbours.own
        return _spread(file.mentions, self._imported(file, file.mentions.imports, _FILES_DEEP))

    def elsewhere(self) -> Collection[_Marks[Place]]:
        """What the functions of other files reach that were looked at."""
        return self._known.values()

    def regions(self, own: _Marks[ast.AST]) -> Reach:
        """What leads to an autocast region."""
        functions, classes = {node for node, marks in own.items() if "autocast" in marks}, set[str]()
        for around in (self._neighbours.own.scopes.scope_of[node].parent for node in functions):
            if around is not None and around.is_class:
                classes.add(around.label)
        places = set[Place]()
        for (file, _), found in self._known.items():
            leading = {place for place, marks in found.items() if "autocast" in marks}
            owners = self._glimpse(file).classes
            places |= leading
            classes |= {owners[place] for place in leading & owners.keys()}
        return Reach(
            Functions(functions, places), frozenset(filter(None, (name for name, _ in places))), frozenset(classes)
        )

    def _glimpse(self, file: SourceFile) -> Glimpse:
        if file not in self._glimpses:
            self._glimpses[file] = Glimpse(file.text)
        return self._glimpses[file]

    def _marks(self, file: SourceFile, depth: int) -> _Marks[Place]:
        """Function -> the events it may reach through `depth` imports."""
        key = (file, depth)
        if key not in self._known:
            glimpse = self._glimpse(file)
            self._known[key] = _spread(glimpse, self._imported(file, glimpse.imports, depth) if depth else {})
        return self._known[key]

    def _imported(self, file: SourceFile, imports: Iterable[tuple[str, str]], depth: int) -> dict[str, frozenset[str]]:
        """Name -> what the functions of that name reach in the files that this one imports from."""
        found: dict[str, frozenset[str]] = {}
        for alias, symbol in imports:
            for other, name in self._neighbours.training_files(symbol, file):
                if other is file:
                    continue
                there = self._by_name(other, depth - 1)
                for word, marks in there.items():
                    found[word] = found.get(word, frozenset()) | marks
                if name and name in there:
                    found[alias] = found.get(alias, frozenset()) | there[name]
        return found

    def _by_name(self, file: SourceFile, depth: int) -> Mapping[str, frozenset[str]]:
        marks = self._marks(file, depth)
        return {
            name: reached
            for name, functions in self._glimpse(file).named.items()
            if (reached := frozenset(mark for function in functions for mark in marks.get(function, ())))
        }


class _Told(Protocol[_Node]):
    """`Mentions`, or a `Glimpse`."""

    @property
    def used(self) -> dict[_Node, set[str]]: ...
    @property
    def called(self) -> dict[_Node, set[str]]: ...
    @property
    def imports(self) -> tuple[tuple[str, str], ...]: ...
    def callers(self) -> dict[_Node, list[_Node]]: ...


def _spread(mentions: _Told[_Node], imported: Mapping[str, frozenset[str]]) -> _Marks[_Node]:
    """What each function reaches, by what it mentions; functions that reach nothing are left out."""
    renamed = {alias: last for alias, last in _renamed(mentions.imports) if last in _WATCHED}
    marks: _Marks[_Node] = {}
    for node, words in mentions.used.items():
        own = (words & _BY_NAME) | mentions.called[node] | {renamed[word] for word in words & renamed.keys()}
        own.update(mark for word in words & imported.keys() for mark in imported[word])
        if own:
            marks[node] = frozenset(own)
    callers = mentions.callers()
    pending = list(marks)
    while pending:
        reached = pending.pop()
        for caller in callers.get(reached, ()):
            known = marks.get(caller, frozenset())
            if not marks[reached] <= known:
                marks[caller] = known | marks[reached]
                pending.append(caller)
    return marks


def _renamed(imports: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((alias, symbol.rpartition(".")[2]) for alias, symbol in imports)
