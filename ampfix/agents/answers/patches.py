"""Unified diffs: read and applied to files by their lines, not by their line numbers.

What people and models write by hand has wrong numbers and counts. A hunk is taken where its old lines stand: at the
stated line, or else at the only place. Anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_HUNK = re.compile(r"^@@(?:\s*-(?P<start>\d+)(?:,\d+)?\s+\+\d+(?:,\d+)?\s*@@.*|.*)$")
_REFUSED = (
    ("GIT binary patch", "is binary"),
    ("Binary files ", "is binary"),
    ("rename from ", "renames a file"),
    ("copy from ", "copies a file"),
    ("deleted file mode ", "deletes a file"),
    ("new file mode 120000", "makes a symbolic link"),
    ("old mode ", "changes a file's mode"),
)


class PatchError(ValueError):
    """A diff that cannot be taken. code: a row of `causes`; the message is one line."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass
class Hunk:
    """start: the 1-based line its old text is said to begin at, None where it does not say. lines: (mark, text)."""

    start: int | None
    lines: list[tuple[str, str]] = field(default_factory=list)

    def side(self, mark: str) -> list[str]:
        """The old text (`-`) or the new one (`+`), context included."""
        return [text for each, text in self.lines if each in (" ", mark)]

    def without_trailing_blanks(self) -> Hunk:
        """Without the empty lines that end it: often they belong to what surrounds the diff."""
        lines = list(self.lines)
        while lines and lines[-1] == (" ", ""):
            lines.pop()
        return Hunk(self.start, lines)


@dataclass
class FilePatch:
    path: str
    hunks: list[Hunk] = field(default_factory=list)


@dataclass(frozen=True)
class Patched:
    """files: the changed ones. notes: what was not exactly as the diff says, a line each."""

    files: dict[str, str]
    notes: tuple[str, ...]


def looks_like_diff(text: str) -> bool:
    """Whether a text is a unified diff: a hunk, and lines added or removed below it."""
    lines = text.splitlines()
    hunk = next((number for number, line in enumerate(lines) if line.startswith("@@")), None)
    return hunk is not None and any(line[:1] in ("+", "-") for line in lines[hunk + 1 :])


def parse(text: str) -> list[FilePatch]:
    """The files a diff changes. Raises PatchError."""
    patches: list[FilePatch] = []
    hunk: Hunk | None = None
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        for prefix, what in _REFUSED:
            if line.startswith(prefix):
                raise PatchError("path_not_allowed", f"the diff {what} (line {number + 1})")
        if line.startswith("--- ") and number + 1 < len(lines) and lines[number + 1].startswith("+++ "):
            patches.append(FilePatch(_path(line[4:], lines[number + 1][4:])))
            hunk, number = None, number + 2
            continue
        if line.startswith("@@") and (match := _HUNK.match(line)):
            if not patches:
                patches.append(FilePatch(""))
            hunk = Hunk(int(match["start"]) if match["start"] else None)
            patches[-1].hunks.append(hunk)
        elif line.startswith(("diff --git ", "Index: ")):
            hunk = None
        elif hunk is not None:
            _add(hunk, line, number)
        number += 1
    if not any(patch.hunks for patch in patches):
        raise PatchError("patch_malformed", "the diff holds no hunk (@@)")
    return patches


def _add(hunk: Hunk, line: str, number: int) -> None:
    if line[:1] in (" ", "+", "-"):
        hunk.lines.append((line[0], line[1:]))
    elif not line:
        hunk.lines.append((" ", ""))
    elif not line.startswith("\\"):
        raise PatchError("patch_malformed", f"line {number + 1} of the diff begins with neither ' ', '+' nor '-'")


def _path(old: str, new: str) -> str:
    """The file meant by both headers. Raises PatchError where one is made, deleted or renamed."""
    names = [re.sub(r"^[ab]/", "", name.split("\t")[0].strip().strip('"')) for name in (old, new)]
    if names[1] == "/dev/null":
        raise PatchError("path_not_allowed", f"the diff deletes {names[0]}")
    if names[0] == "/dev/null":
        raise PatchError("path_not_allowed", f"the diff makes a new file, {names[1]}; change the loop's own files")
    return names[1]


def target(path: str, files: Mapping[str, str]) -> str:
    """The loop's file that a path in an answer means. Raises PatchError."""
    pure = PurePosixPath(path.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or re.match(r"^[A-Za-z]:", path):
        raise PatchError("path_not_allowed", f"{path} leaves the workspace")
    name = pure.as_posix()
    if name in files:
        return name
    ends = [known for known in files if known.endswith(f"/{name}") or name.endswith(f"/{known}")]
    if not name or name == ".":
        ends = list(files)
    if len(ends) != 1:
        raise PatchError("path_not_allowed", f"{path or 'the diff'} names none of the loop's files: {', '.join(files)}")
    return ends[0]


def apply(text: str, files: Mapping[str, str]) -> Patched:
    """Apply a diff to some files. Raises PatchError; then nothing is applied."""
    changed: dict[str, str] = {}
    notes: list[str] = []
    for patch in parse(text):
        name = target(patch.path, files)
        before = changed.get(name, files[name])
        changed[name] = _apply(patch.hunks, before, name, notes)
    return Patched(changed, tuple(notes))


def _apply(hunks: Sequence[Hunk], text: str, name: str, notes: list[str]) -> str:
    lines = text.split("\n")
    done = 0  # hunks stand in order: each begins where the last one ended
    shift = 0
    for number, hunk in enumerate(hunks, 1):
        at, taken = _place(hunk, lines, done, shift, f"hunk {number} for {name}")
        stated = None if hunk.start is None else hunk.start - 1 + shift
        if stated != at:
            notes.append(f"hunk {number} for {name} taken at line {at - shift + 1}, where its lines stand")
        new = _kept(taken, lines, at)
        old = len(taken.side("-"))
        lines[at : at + old] = new
        done, shift = at + len(new), shift + len(new) - old
    return "\n".join(lines)


def _kept(hunk: Hunk, lines: Sequence[str], at: int) -> list[str]:
    """The new lines; context is kept as the file has it, since a diff may have lost trailing blanks."""
    new: list[str] = []
    for mark, text in hunk.lines:
        if mark == "+":
            new.append(text)
            continue
        if mark == " ":
            new.append(lines[at])
        at += 1
    return new


def _place(hunk: Hunk, lines: Sequence[str], done: int, shift: int, what: str) -> tuple[int, Hunk]:
    """Where a hunk's old lines stand, and the hunk as it was taken."""
    for taken in (hunk, hunk.without_trailing_blanks()):
        old = [line.rstrip() for line in taken.side("-")]
        if not old:
            continue
        found = [
            at for at in range(done, len(lines) - len(old) + 1)
            if all(line.rstrip() == wanted for line, wanted in zip(lines[at : at + len(old)], old, strict=True))
        ]  # fmt: skip
        stated = None if hunk.start is None else hunk.start - 1 + shift
        if stated in found:
            return found[found.index(stated)], taken
        if len(found) == 1:
            return found[0], taken
        if found:
            places = ", ".join(str(at + 1) for at in found[:4])
            raise PatchError("patch_does_not_apply", f"{what} fits at several lines: {places}")
    if not hunk.side("-") and hunk.start is not None and done <= hunk.start + shift <= len(lines):
        return hunk.start + shift, hunk  # nothing old: unified diffs then name the line before
    raise PatchError("patch_does_not_apply", f"{what}: {_missing(hunk, lines)}")


def _missing(hunk: Hunk, lines: Sequence[str]) -> str:
    known = {line.rstrip() for line in lines}
    for line in hunk.side("-"):
        if line.rstrip() not in known:
            return f"no line of the file reads {line.strip()[:80]!r}"
    return "its old lines do not stand together in the file" if hunk.side("-") else "it says not where to insert"
