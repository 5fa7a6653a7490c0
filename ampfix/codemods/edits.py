"""Text edits: the smallest set of token replacements between two texts, and applying them.

Lines end at "\\n", "\\r\\n" or "\\r", as for Python's tokenizer; form feeds and Unicode separators do not end one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

from ampfix.findings import Edit, Position, Span

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_TOKEN = re.compile(r"\r\n|\w+|[^\S\r\n]+|.", re.DOTALL)


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends."""
    return _LINE.findall(text)


def edits_between(before: str, after: str) -> tuple[Edit, ...]:
    """Edits, in the coordinates of `before`, that turn it into `after`: ordered, not overlapping, token by token."""
    locate = Locator(before)
    return tuple(
        Edit(Span(locate.position(start), locate.position(end)), text) for start, end, text in _changes(before, after)
    )


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with non-overlapping `edits` made. Raises ValueError where two of them overlap."""
    locate = Locator(text)
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: edit.span):
        start, end = locate.offset(edit.span.start), locate.offset(edit.span.end)
        if start < done:
            raise ValueError(f"overlapping edits at line {edit.span.start.line}, column {edit.span.start.column}")
        pieces += (text[done:start], edit.text)
        done = end
    return "".join((*pieces, text[done:]))


class Locator:
    """Offsets of a text to 1-based positions and back."""

    def __init__(self, text: str) -> None:
        self._starts = list(accumulate(map(len, split_lines(text)), initial=0))
        self._ends_in_newline = not text or text[-1] in "\r\n"

    def offset(self, position: Position) -> int:
        return self._starts[position.line - 1] + position.column - 1

    def position(self, offset: int) -> Position:
        from bisect import bisect_right

        line = bisect_right(self._starts, offset)
        if line == len(self._starts) and not self._ends_in_newline:
            line -= 1  # the end of a last line without a newline
        return Position(line, offset - self._starts[line - 1] + 1)


def _changes(before: str, after: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, replacement) in offsets of `before`: whole lines first, then tokens inside the lines that differ."""
    old, new = split_lines(before), split_lines(after)
    starts = list(accumulate(map(len, old), initial=0))
    for lines, replacement in _matching(old, new):
        gone, came = old[lines.start : lines.stop], new[replacement.start : replacement.stop]
        if not gone:
            yield starts[lines.start], starts[lines.start], "".join(came)
            continue
        offset = starts[lines.start]
        tokens, wanted = _TOKEN.findall("".join(gone)), _TOKEN.findall("".join(came))
        places = list(accumulate(map(len, tokens), initial=offset))
        for cut, paste in _matching(tokens, wanted):
            yield places[cut.start], places[cut.stop], "".join(wanted[paste.start : paste.stop])


def _matching(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[range, range]]:
    """Ranges of `old` and of `new` that replace each other. Common ends are cut off first: they are most of a file."""
    head = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    rest = min(len(old), len(new)) - head
    tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    for tag, a, b, c, d in SequenceMatcher(None, middle_old, middle_new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield range(head + a, head + b), range(head + c, head + d)
