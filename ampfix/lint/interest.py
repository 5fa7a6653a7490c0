"""Which functions reach an event, so that only those are lowered and inlined.

Reach goes by name: a function reaches what any function of the same name as something it mentions reaches, in its own
file and in those it imports. Too much is harmless, too little would hide events.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from ampfix.lint.files import SourceFile
from ampfix.lint.mentions import BUILT, Mentions
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

_Marks = dict[ast.AST, frozenset[str]]


@dataclass(frozen=True)
class Reach:
    """What leads to an autocast region. functions: of the checked file and others; names: of those of others; classes:
    the names of classes with such methods."""

    functions: frozenset[ast.AST]
    names: frozenset[str]
    classes: frozenset[str]


NOWHERE = Reach(frozenset(), frozenset(), frozenset())


@dataclass(frozen=True)
class Interest:
    """inlined: functions worth following from a call, in any file. analysed: those of the checked file worth analysing
    by themselves. regions: what leads to autocast."""

    inlined: frozenset[ast.AST]
    analysed: frozenset[ast.AST]
    regions: Reach = NOWHERE


def interest(neighbours: Neighbours) -> Interest:
    """Find both sets."""
    survey = _Survey(neighbours)
    own = survey.marks(neighbours.own, _FILES_DEEP)
    analysed = (node for node, found in own.items() if _may_matter(found))
    return Interest(frozenset(survey.reached), frozenset(analysed), survey.regions(own))


def _may_matter(found: frozenset[str]) -> bool:
    """Whether a function that reaches these events may show what a rule looks at."""
    return bool(found & _ESSENTIAL) or found >= _FINISHING or (BUILT in found and bool(found & _FINISHING))


class _Survey:
    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._known: dict[tuple[SourceFile, int], _Marks] = {}
        self.reached: set[ast.AST] = set()

    def marks(self, file: SourceFile, depth: int) -> _Marks:
        """Function -> the events it may reach through `depth` imports."""
        key = (file, depth)
        if key not in self._known:
            self._known[key] = found = _spread(file.mentions, self._imported(file, depth) if depth else {})
            self.reached.update(found)
        return self._known[key]

    def regions(self, own: _Marks) -> Reach:
        """What leads to an autocast region."""
        functions, classes = set[ast.AST](), set[str]()
        for (file, _), found in self._known.items():
            for node in (node for node, marks in found.items() if "autocast" in marks):
                functions.add(node)
                around = file.scopes.scope_of[node].parent
                if around is not None and around.is_class:
                    classes.add(around.label)
        elsewhere = (getattr(node, "name", "") for node in functions - own.keys())
        return Reach(frozenset(functions), frozenset(filter(None, elsewhere)), frozenset(classes))

    def _imported(self, file: SourceFile, depth: int) -> dict[str, frozenset[str]]:
        """Name -> what the functions of that name reach in the files that this one imports from."""
        found: dict[str, frozenset[str]] = {}
        for alias, symbol in file.mentions.imports:
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
        marks = self.marks(file, depth)
        return {
            name: reached
            for name, functions in file.mentions.named.items()
            if (reached := frozenset(mark for function in functions for mark in marks.get(function, ())))
        }


def _spread(mentions: Mentions, imported: Mapping[str, frozenset[str]]) -> _Marks:
    """What each function reaches, by what it mentions; functions that reach nothing are left out."""
    renamed = {alias: last for alias, last in _renamed(mentions.imports) if last in _WATCHED}
    marks: _Marks = {}
    for node, words in mentions.used.items():
        own = (words & _BY_NAME) | mentions.called[node] | {renamed[word] for word in words & renamed.keys()}
        own.update(mark for word in words & imported.keys() for mark in imported[word])
        if own:
            marks[node] = frozenset(own)
    pending = list(marks)
    while pending:
        reached = pending.pop()
        for caller in mentions.callers.get(reached, ()):
            known = marks.get(caller, frozenset())
            if not marks[reached] <= known:
                marks[caller] = known | marks[reached]
                pending.append(caller)
    return marks


def _renamed(imports: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((alias, symbol.rpartition(".")[2]) for alias, symbol in imports)
