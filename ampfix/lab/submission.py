"""From an answer as it was given (a .py file, or prose with a code block) to the files that will run."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ampfix.lab.blocks import PYTHON, code_blocks

LARGEST_ANSWER = 1 << 20

_HEADER = re.compile(r"^#\s*ampfix-scenario:\s*(?P<id>[a-z0-9-]+)\s*$", re.MULTILINE)


class InvalidAnswer(Exception):
    """An answer that holds nothing to run. code: a row of `causes`; the message is one line."""

    def __init__(self, code: str, detail: str, sha256: str) -> None:
        super().__init__(detail)
        self.code = code
        self.sha256 = sha256


@dataclass(frozen=True)
class Submission:
    """An answer's loop. text: what replaces the scenario's entry. sha256: of the answer as given.

    others: what replaces the loop's other files, by path. taken: what was taken of the answer, a line each.
    """

    text: str
    sha256: str
    others: Mapping[str, str] = field(default_factory=dict)
    taken: tuple[str, ...] = ()

    def loop(self, original: Mapping[str, str], entry: str) -> dict[str, str]:
        """The loop's files with the answer's in place of theirs."""
        return {**original, **self.others, entry: self.text}


def header_scenario(raw: bytes) -> str | None:
    """The scenario that an answer names in a `# ampfix-scenario: ID` comment near its beginning."""
    match = _HEADER.search(raw[:2000].decode("utf-8", errors="replace"))
    return match["id"] if match else None


def read_bytes(path: Path) -> bytes:
    """An answer's file, cut where it is larger than any answer may be. Raises OSError."""
    with path.open("rb") as file:
        return file.read(LARGEST_ANSWER + 1)


def read(path: Path) -> Submission:
    """Read an answer's file. Raises OSError where it cannot be read, InvalidAnswer where it holds no loop."""
    return extract(read_bytes(path), markdown=path.suffix.lower() not in (".py", ".pyw"))


def from_text(text: str) -> Submission:
    """A loop of our own, taken as it is."""
    return Submission(text, _sha256(text.encode()))


def sha256_of(files: Mapping[str, str]) -> str:
    """Of a loop's files: of its text where it is one file."""
    texts = list(files.values())
    joined = texts[0] if len(texts) == 1 else "".join(f"{name}\0{text}\0" for name, text in sorted(files.items()))
    return _sha256(joined.encode())


def extract(raw: bytes, markdown: bool) -> Submission:
    """The loop in an answer. markdown: the code stands in a fenced block. Raises InvalidAnswer."""
    digest = _sha256(raw)
    if len(raw) > LARGEST_ANSWER:
        raise InvalidAnswer("too_large", f"the answer is larger than {LARGEST_ANSWER >> 20} MiB", digest)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidAnswer(
            "not_utf8", f"not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}", digest
        ) from None
    if not text.strip():
        raise InvalidAnswer("empty", "the answer is empty", digest)
    code = _only_block(text, digest) if markdown else text
    _must_parse(code, digest)
    return Submission(code, digest)


def _only_block(text: str, digest: str) -> str:
    blocks = [block.text for block in code_blocks(text) if block.language in PYTHON]
    if not blocks:
        raise InvalidAnswer("no_code", "the answer holds no Python code block", digest)
    if len(blocks) > 1:
        detail = f"the answer holds {len(blocks)} Python code blocks: give the whole loop in one"
        raise InvalidAnswer("several_code_blocks", detail, digest)
    return blocks[0]


def _must_parse(code: str, digest: str) -> None:
    try:
        ast.parse(code)
    except SyntaxError as error:
        raise InvalidAnswer("syntax_error", f"line {error.lineno}: {error.msg}", digest) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidAnswer("syntax_error", f"not parseable: {error}", digest) from None


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
