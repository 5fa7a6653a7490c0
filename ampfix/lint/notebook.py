"""A Jupyter notebook as one program, and the way back: only the source of changed cells is written anew.

The code cells follow one another as in a run from top to bottom, each below a marker line, so that a place in the
program belongs to one cell whatever a repair inserts or removes.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

from ampfix.findings import Position, Span
from ampfix.lint.magics import Hidden, is_python, mask, unmask
from ampfix.lint.read import MAX_BYTES, UnreadableError
from ampfix.patterns import pattern
from ampfix.records import dataclass

MAX_NOTEBOOK_BYTES = 100_000_000  # pictures in outputs; the source below is held to MAX_BYTES

_MARKER = pattern(r'^"ampfix: cell (\d+)"(?:\r\n|\r|\n)', re.MULTILINE)
_SPACE = pattern(r"[ \t\r\n]*")
_LINE = pattern(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_decode = json.JSONDecoder(strict=False).raw_decode


@dataclass(frozen=True)
class Cell:
    """One code cell. number: its place among all cells, from 1. start, end: its source's value in the file's text.

    first_line: the line of the program where its code begins.
    """

    number: int
    start: int
    end: int
    code: str
    masked: str
    hidden: Mapping[str, Hidden]
    first_line: int

    @property
    def marker(self) -> str:
        return f'"ampfix: cell {self.number}"'


class Notebook:
    """Raises UnreadableError for data that is no notebook of format 4."""

    def __init__(self, data: bytes) -> None:
        self._raw = _text_of(data)
        self.cells = tuple(self._cells())
        self.text = "".join(f"{cell.marker}\n{cell.masked}\n" for cell in self.cells)
        if len(self.text) > MAX_BYTES:
            raise UnreadableError(f"its code is larger than {MAX_BYTES / 1e6:.0f} MB; exclude the notebook")
        self._firsts = [cell.first_line for cell in self.cells]

    def locate(self, span: Span) -> tuple[int | None, Span]:
        """The cell a place of the program lies in, and the place in that cell's own lines."""
        index = bisect_right(self._firsts, span.start.line) - 1
        if index < 0:
            return None, span
        cell = self.cells[index]
        moved = [Position(at.line - cell.first_line + 1, at.column) for at in (span.start, span.end)]
        return cell.number, Span(moved[0], moved[1])

    def line(self, number: int, cell: int | None) -> str:
        """One line of a cell as it stands in the notebook, without its end."""
        code = next((one.code for one in self.cells if one.number == cell), "")
        lines = [line.rstrip("\r\n") for line in _LINE.findall(code)]
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def file_line(self, number: int, cell: int | None) -> int:
        """The line of the file's JSON that holds a line of a cell; the cell's first where a string holds them all."""
        found = next((one for one in self.cells if one.number == cell), None)
        if found is None:
            return 1
        at, seen = found.start, 0
        if self._raw[at] == "[":
            for start, _, value in _items(self._raw, at):
                at, seen = start, seen + len(_LINE.findall(value))
                if seen >= number:
                    break
        return self._raw.count("\n", 0, at) + 1

    def source(self, text: str) -> str:
        """The whole notebook, its cells' code as in `text`. Raises ValueError where `text` does not tell the cells."""
        written: list[str] = []
        done = 0
        for cell, code in zip(self.cells, self._split(text), strict=True):
            if code != cell.code:
                written += (self._raw[done : cell.start], self._value(cell, code))
                done = cell.end
        return "".join((*written, self._raw[done:]))

    def describe(self, error: SyntaxError) -> str:
        """Where in the notebook the program is wrong, and how."""
        at = Position(error.lineno or 1, 1)
        cell, span = self.locate(Span(at, at))
        return f"cell {cell}, line {span.start.line}: {error.msg}"

    def _cells(self) -> Iterator[Cell]:
        line = 2
        for number, start, end, value in _code_cells(self._raw):
            code = "".join(value) if isinstance(value, list) else value
            if not is_python(code):
                continue
            masked, hidden = mask(code, number)
            yield Cell(number, start, end, code, masked, hidden, line)
            line += len(_LINE.findall(masked + "\n")) + 1

    def _split(self, text: str) -> list[str]:
        """The code of each cell in a changed program."""
        pieces = _MARKER.split(text)
        if [f'"ampfix: cell {number}"' for number in pieces[1::2]] != [cell.marker for cell in self.cells]:
            raise ValueError("the repair would tear cells apart")
        codes = pieces[2::2]
        if codes:
            codes[0] = pieces[0] + codes[0]  # what was put in front of everything
        return [unmask(code.removesuffix("\n"), cell.hidden) for cell, code in zip(self.cells, codes, strict=True)]

    def _value(self, cell: Cell, code: str) -> str:
        """The JSON of a cell's source, laid out as it was; lines that stay are copied."""
        raw = self._raw[cell.start : cell.end]
        if not raw.startswith("["):
            return self._string(code)
        tokens = list(_items(self._raw, cell.start))
        known = {value: self._raw[start:end] for start, end, value in tokens}
        if tokens:
            head, tail = self._raw[cell.start : tokens[0][0]], self._raw[tokens[-1][1] : cell.end]
        else:
            head, tail = "[", "]"
        between = self._raw[tokens[0][1] : tokens[1][0]] if len(tokens) > 1 else f",{head[1:] or ' '}"
        lines = [known.get(line) or self._string(line) for line in _LINE.findall(code)]
        return head + between.join(lines) + tail if lines else "[]"

    def _string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self._raw.isascii())


def _text_of(data: bytes) -> str:
    if len(data) > MAX_NOTEBOOK_BYTES:
        raise UnreadableError(f"is larger than {MAX_NOTEBOOK_BYTES / 1e6:.0f} MB; clear its outputs or exclude it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"is not valid UTF-8 at byte {error.start}; save the notebook again") from None


def _code_cells(raw: str) -> Iterator[tuple[int, int, int, Any]]:
    """(number, start, end, value) of the source of each cell that holds Python."""
    try:
        root = {key: (start, value) for key, start, _, value in _members(raw, _SPACE.match(raw, 0).end())}  # type: ignore[union-attr]
        if "cells" not in root:
            said = "is a notebook of an old format; convert it with `jupyter nbconvert --to notebook`"
            raise UnreadableError(said if "worksheets" in root else "is not a notebook: it has no cells")
        if not _is_python_notebook(root.get("metadata", (0, {}))[1]):
            return
        for number, (start, _, cell) in enumerate(_items(raw, root["cells"][0]), 1):
            if isinstance(cell, dict) and cell.get("cell_type") == "code" and _is_python_cell(cell):
                for key, at, end, value in _members(raw, start):
                    if key == "source" and _is_source(value):
                        yield number, at, end, value
    except (json.JSONDecodeError, IndexError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else "not a JSON object"
        raise UnreadableError(f"is not a valid notebook: {said}") from None


def _is_source(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))


def _is_python_notebook(metadata: Any) -> bool:
    language = _at(metadata, "language_info", "name") or _at(metadata, "kernelspec", "language")
    return not isinstance(language, str) or language.lower().startswith(("python", "ipython", "cinder"))


def _is_python_cell(cell: Any) -> bool:
    language = _at(cell, "metadata", "vscode", "languageId")
    return language in (None, "python")


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _members(raw: str, at: int) -> Iterator[tuple[str, int, int, Any]]:
    """(key, start, end, value) of the object that begins at an offset."""
    at = _expect(raw, at, "{")
    while raw[at] != "}":
        key, at = _decode(raw, at)
        at = _expect(raw, _skip(raw, at), ":")
        value, end = _decode(raw, at)
        yield str(key), at, end, value
        at = _next(raw, end, "}")


def _items(raw: str, at: int) -> Iterator[tuple[int, int, Any]]:
    """(start, end, value) of the items of the array that begins at an offset."""
    at = _expect(raw, at, "[")
    while raw[at] != "]":
        value, end = _decode(raw, at)
        yield at, end, value
        at = _next(raw, end, "]")


def _next(raw: str, at: int, close: str) -> int:
    at = _skip(raw, at)
    return at if raw[at] == close else _expect(raw, at, ",")


def _expect(raw: str, at: int, character: str) -> int:
    if raw[at] != character:
        raise json.JSONDecodeError(f"expected {character!r}", raw, at)
    return _skip(raw, at + 1)


def _skip(raw: str, at: int) -> int:
    match = _SPACE.match(raw, at)
    assert match is not None, "matches the empty string"
    return match.end()
