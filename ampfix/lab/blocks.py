"""The fenced code blocks of a Markdown text, and the file each of them is said to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$")
_TITLE = re.compile(r"""(?:title|file|filename|path)\s*[=:]\s*["']?(?P<name>[\w./\\-]+\.py)""", re.IGNORECASE)
_BARE = re.compile(r"(?P<name>[\w./\\-]+\.py)\s*$")
_NAMED_ABOVE = re.compile(r"^[#*\s]*(?:file:?\s*)?[`*]+(?P<name>[\w./\\-]+\.py)[`*]+\s*:?[*\s]*$", re.IGNORECASE)
_NAMED_INSIDE = re.compile(r"^#\s*(?:file(?:name)?\s*:\s*)?(?P<name>[\w./\\-]+\.py)\s*$")

PYTHON = frozenset({"", "py", "python", "python3"})
DIFF = frozenset({"diff", "patch"})


@dataclass(frozen=True)
class Block:
    """number: counted from 1. language: lower case, empty where unmarked. name: the file it is said to be, or empty."""

    number: int
    text: str
    language: str
    name: str


def code_blocks(text: str) -> list[Block]:
    """Every fenced block, in order. One that is never closed ends with the text."""
    return [Block(number, *found) for number, found in enumerate(_found(text), 1)]


def _found(text: str) -> Iterator[tuple[str, str, str]]:
    fence, indent, info, above = "", 0, "", ""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if fence:
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                yield _block("".join(lines), info, above)
                fence, above = "", ""
            else:
                lines.append(_dedented(line, indent))
        elif match := _FENCE.match(line.rstrip()):
            fence, indent, info, lines = match["fence"], len(match["indent"]), match["info"].strip(), []
        elif stripped:
            above = stripped
    if fence:
        yield _block("".join(lines), info, above)


def _dedented(line: str, indent: int) -> str:
    """A block in a list item is indented with its fence."""
    return line[min(indent, len(line) - len(line.lstrip(" \t"))) :]


def _block(text: str, info: str, above: str) -> tuple[str, str, str]:
    words = info.split()
    language = words[0].split(":")[0].strip("{}.").lower() if words else ""
    first = text.lstrip().split("\n", 1)[0]
    match = (
        _TITLE.search(info) or _BARE.search(info) or _NAMED_INSIDE.match(first) or _NAMED_ABOVE.match(above)
    )  # what stands nearest to the code says most
    return text, ("python" if language.endswith(".py") else language), match["name"] if match else ""
