"""Which names the functions of a file mention, told by its text: what `Mentions` tells of a tree.

A file around the checked one is asked what its functions may reach, and is not parsed for that. Rather too much is told
than too little: what a function mentions counts for the functions around it too, and a call by how it begins.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from ampfix.lint.mentions import callers_of
from ampfix.lint.prefilter import lines_of_code
from ampfix.lint.scopes import brought_in
from ampfix.lint.syntax import NOT_PYTHON
from ampfix.patterns import pattern

# Where a decorator, a function, a class or the code around them begins.
_BEGIN = pattern(r"^(?:([ \t]*)(?:(@)|(?:async[ \t]+)?def[ \t]+(\w+)|class[ \t]+(\w+))|[A-Za-z_])", re.MULTILINE)
_WORD = pattern(r"[^\W\d]\w*")
_CALLED = pattern(r"\.(?:(step|scale)\(|(update)\(\s*\))")
_WHOLE_STEP = pattern(r"(?<![\w.])(?<!def )(?<!class )\w*(?i:scaler)\w*\s*\(|\.(?=[a-z])\w*(?i:scaler)\w*\s*\(")
_WHOLE = ("step", "scale", "update")
_PATH = r"[(\s]*(?:await\s+)?([\w.]+)"
# What is assigned, the names at the beginning of its value, or of the first argument there, and the rest of the line.
_ASSIGNED = pattern(
    rf"^[ \t]*((?:[\w.]+[ \t]*[,=][ \t]*)*[\w.]+)[ \t]*(?::[^=\n]*)?=(?!=){_PATH}(?:\(\s*([\w.]+)(?![\w(=.]))?([^\n]*)",
    re.MULTILINE,
)
_NAMED = pattern(rf"(\w+)[ \t]*:={_PATH}")
_ELSE = pattern(r"\belse\s+([\w.]+)")
_LAMBDA = pattern(r"\blambda\b")
_IMPORT = pattern(r"^[ \t]*((?:from[ \t]+[\w.]+[ \t]+)?import\b(?:[^\n;(\\]|\\\n|\([^)]*\))*)", re.MULTILINE)


class Place(NamedTuple):
    """A function, a class or, without a name, a lambda, by the line on which it says so."""

    name: str
    line: int


class _Level(NamedTuple):
    indent: int
    place: Place
    is_class: bool


class Glimpse:
    """One file's names. used: what a function or class mentions; called: of its methods those that scalers, optimizers
    and schedulers have; classes: of methods."""

    def __init__(self, text: str) -> None:
        self._code = lines_of_code(text)
        self.used: dict[Place, set[str]] = {}
        self.called: dict[Place, set[str]] = {}
        self.classes: dict[Place, str] = {}
        self._read()
        if "lambda" in self._code:
            self._read_lambdas()

    def _read(self) -> None:
        code, line, counted = self._code, 1, 0
        around: list[_Level] = []
        begin, decorated = 0, -1
        for found in _BEGIN.finditer(code):
            at = found.start()
            if found[2]:
                decorated = at if decorated < 0 else decorated
                continue
            start, decorators = (at, "") if decorated < 0 else (decorated, code[decorated:at])
            self._hold(code[begin:start], around)
            begin, decorated = start, -1
            name = found[3] or found[4]
            if not name:
                around = []
                continue
            line, counted = line + code.count("\n", counted, at), at
            indent = len(found[1])
            around = [level for level in around if level.indent < indent]
            self._hold(decorators, around[-1:])
            place = Place(name, line)
            if around and around[-1].is_class and not found[4]:
                self.classes[place] = around[-1].place.name
            around.append(_Level(indent, place, bool(found[4])))
            self.used[place], self.called[place] = set(), set()
        self._hold(code[begin:], around)

    def _hold(self, part: str, around: list[_Level]) -> None:
        """Note what a part of the code says for the functions it lies in, and for a class it lies right in."""
        holding = [level.place for level in around[:-1] if not level.is_class] + [level.place for level in around[-1:]]
        if holding and part:
            words, called = _words(part), _called(part)
            for place in holding:
                self.used[place] |= words
                self.called[place] |= called

    def _read_lambdas(self) -> None:
        """Each is a function of what its line and those behind it say."""
        for found in _LAMBDA.finditer(self._code):
            at = found.start()
            line = self._code.count("\n", 0, at) + 1
            said = self._code[at : self._statement_end(at)]
            place = Place("", line)
            self.used[place] = self.used.get(place, set()) | _words(said)
            self.called[place] = self.called.get(place, set()) | _called(said)

    def _statement_end(self, at: int) -> int:
        following = _ASSIGNED.search(self._code, self._code.find("\n", at) + 1 or len(self._code))
        return following.start() if following else len(self._code)

    @cached_property
    def imports(self) -> tuple[tuple[str, str], ...]:
        """(name here, qualified name) of every import, those of the module first."""
        found = sorted(_IMPORT.finditer(self._code), key=lambda match: self._code[match.start()].isspace())
        statements = [match[1] for match in found]
        return tuple(pair for node in _parsed(statements) for pair in brought_in(node))

    @cached_property
    def named(self) -> dict[str, list[Place]]:
        """Name -> the functions it may call, as `Mentions.named`."""
        found: dict[str, list[Place]] = {}
        for place in self.used:
            found.setdefault(place.name, []).append(place)
        for place, owner in self.classes.items():
            if place.name in ("__call__", "forward", "__enter__", "__init__"):
                found.setdefault(owner, []).append(place)
        found.pop("", None)
        for name, held in self._assigned():
            more = [place for one in held for place in found.get(one, ())]
            if more:
                found[name] = list(dict.fromkeys([*found.get(name, ()), *more]))
        for name, place in self._assigned_lambdas():
            found.setdefault(name, []).append(place)
        return found

    def _assigned(self) -> Iterator[tuple[str, list[str]]]:
        for found in _ASSIGNED.finditer(self._code):
            held = [*found.group(2, 3), *(each[1] for each in _ELSE.finditer(found[4]))]
            if "," in found[1]:
                held += _WORD.findall(found[4])
            lasts = [each.rpartition(".")[2] for each in held if each]
            for target in re.split(r"[ \t]*[,=][ \t]*", found[1]):
                yield target.rpartition(".")[2], lasts
        for found in _NAMED.finditer(self._code):
            yield found[1], [found[2].rpartition(".")[2]]

    def _assigned_lambdas(self) -> Iterator[tuple[str, Place]]:
        if "lambda" not in self._code:
            return
        assigned = [(found.start(), found[1]) for found in _ASSIGNED.finditer(self._code)]
        for found in _LAMBDA.finditer(self._code):
            at = bisect_right(assigned, (found.start(), "")) - 1
            if at >= 0:
                line = self._code.count("\n", 0, found.start()) + 1
                for target in re.split(r"[ \t]*[,=][ \t]*", assigned[at][1]):
                    yield target.rpartition(".")[2], Place("", line)

    def callers(self) -> dict[Place, list[Place]]:
        """Function -> the functions that mention a name it goes by."""
        return callers_of(self.used, self.named)


def _words(part: str) -> set[str]:
    return set(_WORD.findall(part))


def _called(part: str) -> set[str]:
    called = {found[1] or found[2] for found in _CALLED.finditer(part)}
    return {*_WHOLE} if "caler" in part and _WHOLE_STEP.search(part) else called


def _parsed(statements: Iterable[str]) -> Iterator[ast.Import | ast.ImportFrom]:
    statements = list(statements)
    try:
        body = ast.parse("\n".join(statements)).body
    except NOT_PYTHON:
        body = [node for one in statements for node in _parsed([one])] if len(statements) > 1 else []
    return (node for node in body if isinstance(node, (ast.Import, ast.ImportFrom)))
