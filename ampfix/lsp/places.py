"""Places in a text as editors count them: lines and columns from 0, columns in the units the editor chose."""

from __future__ import annotations

from lsprotocol import types

from ampfix.codemods.edits import split_lines
from ampfix.findings import Edit, Position, Span

_BYTES = {types.PositionEncodingKind.Utf8: ("utf-8", 1), types.PositionEncodingKind.Utf16: ("utf-16-le", 2)}


class Places:
    """Converts both ways for one text. encoding: what editor and server agreed to count columns in."""

    def __init__(self, text: str, encoding: types.PositionEncodingKind | str | None) -> None:
        self._lines = split_lines(text)
        kind = types.PositionEncodingKind(encoding) if encoding else types.PositionEncodingKind.Utf16
        self._codec = _BYTES.get(kind)

    def range(self, span: Span) -> types.Range:
        return types.Range(self.position(span.start), self.position(span.end))

    def position(self, at: Position) -> types.Position:
        line = self._lines[at.line - 1] if at.line <= len(self._lines) else ""
        return types.Position(at.line - 1, self._units(line[: at.column - 1]))

    def edit(self, edit: Edit) -> types.TextEdit:
        return types.TextEdit(self.range(edit.span), edit.text)

    def _units(self, text: str) -> int:
        if self._codec is None:
            return len(text)
        name, width = self._codec
        return len(text.encode(name, "surrogatepass")) // width


def covers(outer: types.Range, inner: types.Range) -> bool:
    """Whether two ranges share a place; their ends count."""
    first, last = (inner.start.line, inner.start.character), (inner.end.line, inner.end.character)
    begin, end = (outer.start.line, outer.start.character), (outer.end.line, outer.end.character)
    return begin <= last and first <= end
