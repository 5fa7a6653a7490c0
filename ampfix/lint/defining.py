"""On which lines of a text an expression may define a name: a lambda its parameters, `:=` what it assigns."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterator

from ampfix.patterns import pattern

_OTHER_END = pattern(r"\r\n?")


def defining_lines(text: str) -> list[int]:
    """The lines on which an expression may define something."""
    places = sorted({*_places("lambda", text), *_places(":=", text)})
    if not places:
        return []
    if "\r" in text:
        text = _OTHER_END.sub(_one_long, text)
    lines, line, before = list[int](), 1, 0
    for at in places:
        line, before = line + text.count("\n", before, at), at
        lines.append(line)
    return lines


def _places(word: str, text: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def _one_long(end: re.Match[str]) -> str:
    """As many characters, of which one ends the line."""
    return end[0][:-1].replace("\r", " ") + "\n"


def lies_on(node: ast.AST, lines: list[int]) -> bool:
    """Whether a node lies on one of the lines; what has no place may."""
    held = node.__dict__
    first: int | None = held.get("lineno")
    if first is None:
        return True
    if decorators := held.get("decorator_list"):
        first = decorators[0].lineno
    at = bisect_left(lines, first)
    return at < len(lines) and lines[at] <= held["end_lineno"]
