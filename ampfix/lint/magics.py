"""IPython's own syntax in notebook cells, exchanged for Python of the same number of lines, and put back.

A magic is recognised only where a statement begins, so that `%` inside an expression over many lines is an operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ampfix.patterns import pattern
from ampfix.records import dataclass

# Cell magics whose cell is Python of the notebook's own namespace. Cells of the others are another program.
PYTHON_CELLS = frozenset({"capture", "debug", "heat", "memit", "prun", "scalene", "time", "timeit", "wandb"})

_CELL_MAGIC = pattern(r"\s*%%(\w+)")
# Magics that IPython knows without their `%`. Behind one stands an option, a path or nothing, never an operator.
_AUTOMATIC = pattern(
    r"[ \t]*(?:cat|cd|conda|cp|ll|ls|mamba|man|mkdir|mv|pip|pwd|rm|rmdir|uv)"
    r"(?:[ \t]*$|[ \t]+(?!(?:and|else|for|if|in|is|not|or)\b)(?:[\w./~$\"'{*]|--?\w).*)",
    re.MULTILINE,
)
_MAGIC = pattern(r"[ \t]*[%!?]|[ \t]*[%\w.*]+[ \t]*\?{1,2}[ \t]*;?[ \t]*$", re.MULTILINE)
_TARGET = r"[A-Za-z_][\w.]*(?:\[[^\]=\r\n]*\])?"
_ASSIGNMENT = pattern(rf"[ \t]*({_TARGET}(?:[ \t]*,[ \t]*{_TARGET})*)[ \t]*=[ \t]*[%!](?!=)")
_LEXEME = pattern(
    r"(?P<string>\"\"\"(?:\\.|(?!\"\"\").)*(?:\"\"\")?|'''(?:\\.|(?!''').)*(?:''')?"
    r"|\"(?:\\.|[^\"\\\r\n])*\"?|'(?:\\.|[^'\\\r\n])*'?)"
    r"|(?P<comment>#[^\r\n]*)|(?P<joined>\\(?:\r\n|\r|\n))|(?P<end>\r\n|\r|\n)|(?P<open>[(\[{])|(?P<close>[)\]}])|.",
    re.DOTALL,
)
_INDENT = pattern(r"[ \t]*")
_LINE = pattern(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_HIDDEN = pattern(r"(?P<indent>[ \t]*)(?:pass|[^\r\n]*= get_ipython\(\))  # ampfix: magic (?P<key>\d+\.\d+)")


def is_python(code: str) -> bool:
    """Whether a cell holds Python of the notebook; `%%bash` and its like do not."""
    magic = _CELL_MAGIC.match(code)
    return magic is None or magic[1] in PYTHON_CELLS


@dataclass(frozen=True)
class Hidden:
    """A line taken out. One that goes on from the line above keeps its own indentation."""

    text: str
    goes_on: bool


def mask(code: str, cell: int) -> tuple[str, dict[str, Hidden]]:
    """The cell's code as plain Python, and its magic lines by the key that stands in their place."""
    hidden: dict[str, Hidden] = {}
    pieces: list[str] = []
    done = 0
    for start, end in _magic_lines(code):
        pieces.append(code[done:start])
        indent = _INDENT.match(code, start)[0]  # type: ignore[index]
        for line in _LINE.finditer(code, start, end):
            if line.start() == end:
                break
            key = f"{cell}.{len(hidden)}"
            goes_on = line.start() > start
            hidden[key] = Hidden(line[1] if goes_on else line[1].lstrip(" \t"), goes_on)
            target = None if goes_on else _ASSIGNMENT.match(line[1])
            stand_in = f"{target[1]} = get_ipython()" if target else "pass"
            pieces.append(f"{indent}{stand_in}  # ampfix: magic {key}{line[2]}")
        done = end
    return "".join((*pieces, code[done:])), hidden


def unmask(code: str, hidden: Mapping[str, Hidden]) -> str:
    """The magic lines put back. Raises ValueError where one has been lost or doubled."""
    seen: list[str] = []

    def original(match: re.Match[str]) -> str:
        seen.append(match["key"])
        line = hidden.get(match["key"])
        return "" if line is None else line.text if line.goes_on else match["indent"] + line.text

    restored = _HIDDEN.sub(original, code)
    if sorted(seen) != sorted(hidden):
        raise ValueError("a magic would be lost")
    return restored


def _magic_lines(code: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each magic: whole lines, with those that a backslash joins to them."""
    at = 0
    while at < len(code):
        if _starts_magic(code, at):
            end = at
            while True:
                line = _LINE.match(code, end)
                assert line is not None, "matches the empty string"
                end = line.end()
                if not line[1].endswith("\\") or end >= len(code):
                    break
            yield at, end
            at = end
        else:
            at = _end_of_statement(code, at)


def _starts_magic(code: str, at: int) -> bool:
    return any(shape.match(code, at) for shape in (_MAGIC, _ASSIGNMENT, _AUTOMATIC))


def _end_of_statement(code: str, at: int) -> int:
    """Behind the line end that no bracket, string or backslash carries over."""
    depth = 0
    for lexeme in _LEXEME.finditer(code, at):
        kind = lexeme.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind == "end" and depth == 0:
            return lexeme.end()
    return len(code)
