"""Positions: ast counts UTF-8 bytes, findings count characters."""

from __future__ import annotations

import ast
from functools import cached_property

from ampfix.findings import Position, Span


class SpanIndex:
    """Turns ast nodes of one text into spans. Unlike str.splitlines, ast ends lines at \\n, \\r\\n and \\r alone."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def lines(self) -> list[str]:
        return self._text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def span(self, node: ast.AST) -> Span:
        """Where a node lies; a module is its first character."""
        line = getattr(node, "lineno", 1)
        start = self._position(line, getattr(node, "col_offset", 0))
        end_line, end_offset = getattr(node, "end_lineno", None), getattr(node, "end_col_offset", None)
        if end_line is None or end_offset is None:
            return Span(start, start)
        return Span(start, self._position(end_line, end_offset))

    def text(self, node: ast.AST) -> str:
        """The node's source, with \\n between its lines; empty where it has no place."""
        place = self.span(node)
        start, end = place.start, place.end
        if start == end:
            return ""
        lines = self.lines[start.line - 1 : end.line]
        lines[-1] = lines[-1][: end.column - 1]
        lines[0] = lines[0][start.column - 1 :]
        return "\n".join(lines)

    def _position(self, line: int, offset: int) -> Position:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if text.isascii():
            return Position(line, offset + 1)
        return Position(line, len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore")) + 1)
