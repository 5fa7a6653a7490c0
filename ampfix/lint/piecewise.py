"""A neighbour, of which only those functions and classes are parsed that somebody asks for.

A file around the checked one is asked for a few of its names. Its top-level functions and classes are cut out of the
text by their first column; the rest is parsed at once, and each of them when its name is looked up.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ampfix.lint.files import SourceFile, calling
from ampfix.lint.scopes import Definition, Scope, ScopeBuilder
from ampfix.lint.syntax import NOT_PYTHON
from ampfix.patterns import pattern
from ampfix.program.spelling import last_name
from ampfix.program.tree import TreeIndex
from ampfix.records import dataclass

# The first column of a statement; the lines of a bracket that is closed there go on.
_START = pattern(r"\n(?:(@)|(?:(?:async[ ]+)?def|class)[ ]+([A-Za-z_]\w*)(?=[ ]*[(:\[])|[^\s#)\]}])", re.ASCII)
_WORTH = 300  # characters; what is shorter is parsed in the time it takes to put off
_GLOBAL = pattern(r"global\s")  # where a statement begins, it defines what lies outside
_OTHER_LINES = ("\r", "\f")  # ends of lines, and what may stand before a statement, that are not counted here


@dataclass(frozen=True)
class _Piece:
    """A function or a class with its decorators. line: how many lines stand before it."""

    name: str
    text: str
    line: int


class Names(dict[str, "list[Definition]"]):
    """The names of a module. One whose piece was not read yet is there, and read when what it stands for is asked."""

    def __init__(self, file: PiecewiseFile) -> None:
        super().__init__()
        self.waiting: dict[str, list[_Piece]] = {}
        self._file = file
        self._ordered = False

    def expect(self, pieces: list[_Piece]) -> None:
        for piece in pieces:
            self.waiting.setdefault(piece.name, []).append(piece)
        for name in list(self.waiting):
            if dict.setdefault(self, name, []):
                self.read(name)
                self[name].sort(key=_line)

    def read(self, name: str) -> None:
        """Parse what is defined under a name."""
        for piece in self.waiting.pop(name, ()):
            self._file.read(piece)

    def __getitem__(self, name: str) -> list[Definition]:
        if name in self.waiting:
            self.read(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name in self.waiting:
            self.read(name)
        return super().get(name, default)

    def items(self) -> Any:
        self.read_all()
        return super().items()

    def values(self) -> Any:
        self.read_all()
        return super().values()

    def read_all(self) -> None:
        """Parse everything, and order the names as they stand in the text."""
        if self.waiting:
            self._file.read_together([piece for pieces in self.waiting.values() for piece in pieces])
            self.waiting.clear()
        if not self._ordered:
            ordered = sorted(dict.items(self), key=lambda item: item[1][0].line)
            self.clear()
            self.update(ordered)
            self._ordered = True


class PiecewiseFile(SourceFile):
    """Raises SyntaxError where the text between its pieces is not Python. A piece that is none defines nothing."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path
        pieces, rest = _cut(text)
        self._parsed = len(text) - sum(len(piece.text) for piece in pieces)
        self.tree = ast.parse(rest, filename=path)
        self._indexes: dict[ast.stmt, TreeIndex] = {}  # of single statements
        self._called: dict[str, list[ast.Call]] = {}
        self._names = Names(self)
        self.scopes = ScopeBuilder(self.tree, rest, self, self._names)
        self._names.expect(pieces)

    def release(self) -> None:
        for index in self._indexes.values():
            index.clear()
        super().release()

    @property
    def parsed(self) -> int:
        return self._parsed

    def puts_off(self, name: str) -> bool:
        return name in self._names.waiting

    def read(self, piece: _Piece) -> None:
        """Parse a piece at its place."""
        try:
            self._add([piece])
        except NOT_PYTHON:
            self._names[piece.name].append(Definition(scope=self.scopes.root, line=piece.line + 1))

    def read_together(self, pieces: list[_Piece]) -> None:
        """Parse pieces, which takes less than to parse each."""
        try:
            self._add(sorted(pieces, key=_place))
        except NOT_PYTHON:
            for piece in pieces:
                self.read(piece)

    def _add(self, pieces: list[_Piece]) -> None:
        parts, line = list[str](), 0
        for piece in pieces:
            parts += ("\n" * (piece.line - line), piece.text)
            line = piece.line + piece.text.count("\n")
        text = "".join(parts)
        part = ast.parse(text, filename=self.path)
        if len(part.body) != len(pieces):
            raise SyntaxError("cut in the wrong place")
        self.scopes.add(part, text)
        self.tree.body += part.body
        self._parsed += sum(len(piece.text) for piece in pieces)

    def calls_to(self, name: str) -> Sequence[ast.Call]:
        if "index" in self.__dict__:
            return super().calls_to(name)
        if name not in self._called:
            nodes = (node for index in self._calling(name) for node in index.order)
            calls = (node for node in nodes if isinstance(node, ast.Call))
            self._called[name] = [call for call in calls if last_name(call.func) == name]
        return self._called[name]

    def _calling(self, name: str) -> list[TreeIndex]:
        """The statements of the module whose text shows a call. Nothing else is parsed for it."""
        lines, line, at = set[int](), 1, 0
        for place in calling(name, self.text):
            line, at = line + self.text.count("\n", at, place), place
            lines.add(line)
        for name in [name for name, pieces in self._names.waiting.items() if _stand_in(pieces, lines)]:
            self._names.read(name)
        return [self._index_of(one) for one in sorted(self.tree.body, key=_first_line) if _is_on(one, lines)]

    def index_around(self, function: ast.AST) -> None:
        if not hasattr(function, "ampfix_tree"):
            for statement in self.tree.body:
                if _is_on(statement, {function.lineno}):  # type: ignore[attr-defined]
                    self._index_of(statement)

    def _index_of(self, statement: ast.stmt) -> TreeIndex:
        if statement not in self._indexes:
            self._indexes[statement] = TreeIndex(ast.Module([statement], []))
        return self._indexes[statement]

    @cached_property
    def index(self) -> TreeIndex:
        """Every node of the tree: all of it is parsed, and as if that had been done at once."""
        self._names.read_all()
        self.tree.body.sort(key=_first_line)
        starts = [_first_line(statement) for statement in self.tree.body]

        def place(item: tuple[ast.AST, Scope]) -> int:
            return bisect_right(starts, getattr(item[0], "lineno", 0))

        scopes = sorted(self.scopes.scope_of.items(), key=place)
        self.scopes.scope_of.clear()
        self.scopes.scope_of.update(scopes)
        return TreeIndex(self.tree)


def neighbour(text: str, path: str) -> SourceFile:
    """The file, parsed no further than it must be. Raises SyntaxError for text that is not Python."""
    if any(end in text for end in _OTHER_LINES):
        return SourceFile(text, path)
    try:
        return PiecewiseFile(text, path)
    except SyntaxError:  # cut in the wrong place, or wrong by itself
        return SourceFile(text, path)


def _cut(text: str) -> tuple[list[_Piece], str]:
    """The pieces to put off, and the text with empty lines in their place."""
    found = list(_START.finditer("\n" + text))
    starts = [*(match.start() for match in found), len(text)]
    pieces, rest = list[_Piece](), [text[: starts[0]]]
    line, at = rest[0].count("\n"), 0
    while at < len(found):
        begin, name = at, found[at][2]
        while found[at][1] and at + 1 < len(found):  # behind decorators comes what they decorate
            at += 1
            name = found[at][2]
        at += 1
        while at < len(found) and _goes_on(text, starts[begin], starts[at]):
            name, at = None, at + 1
        part = text[starts[begin] : starts[at]]
        lines = part.count("\n")
        if name and len(part) >= _WORTH and not _sets_global(part):
            pieces.append(_Piece(name, part, line))
            part = "\n" * lines
        rest.append(part)
        line += lines
    return pieces, "".join(rest)


def _sets_global(part: str) -> bool:
    words = (match.start() for match in _GLOBAL.finditer(part))
    before = (part[part.rfind("\n", 0, at) + 1 : at].rstrip(" \t") for at in words)
    return any(not text or text.endswith((":", ";")) for text in before)


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a part of the text ends inside a text in triple quotes, or is joined to the next line."""
    quotes = (text.count(quote, start, end) for quote in ('"""', "'''"))
    return text.endswith("\\\n", start, end) or any(count % 2 for count in quotes)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _is_on(statement: ast.stmt, lines: set[int]) -> bool:
    first, last = _first_line(statement), statement.end_lineno or statement.lineno
    return any(first <= line <= last for line in lines)


def _stand_in(pieces: list[_Piece], lines: set[int]) -> bool:
    """Whether any of the lines is one of these pieces."""
    spans = [(piece.line, piece.line + piece.text.count("\n") + 1) for piece in pieces] if lines else []
    return any(before < line <= last for before, last in spans for line in lines)


def _place(piece: _Piece) -> int:
    return piece.line


def _line(definition: Definition) -> int:
    return definition.line
