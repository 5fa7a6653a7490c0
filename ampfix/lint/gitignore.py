"""What git ignores below a folder: the lines of .gitignore files, the last that matches deciding."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from ampfix.lint.globs import any_of, posix, translate
from ampfix.records import dataclass

GITIGNORE = ".gitignore"


@dataclass(frozen=True)
class _Line:
    """One pattern. `by_name` ones are compared with a name at any depth, others with the path below the folder."""

    pattern: str
    negated: bool
    by_name: bool
    directories_only: bool


@dataclass(frozen=True)
class _Group:
    """Neighbouring lines that say the same, in one expression per kind."""

    negated: bool
    names: re.Pattern[str] | None
    paths: re.Pattern[str] | None
    directory_names: re.Pattern[str] | None
    directory_paths: re.Pattern[str] | None

    def matches(self, name: str, path: str, is_directory: bool) -> bool:
        return (
            _full(self.names, name)
            or _full(self.paths, path)
            or (is_directory and (_full(self.directory_names, name) or _full(self.directory_paths, path)))
        )


@dataclass(frozen=True)
class Ignores:
    """One .gitignore. base: its folder, absolute, with forward slashes and no slash at its end."""

    base: str
    groups: tuple[_Group, ...]

    def verdict(self, path: str, is_directory: bool) -> bool | None:
        """Whether an absolute path is ignored; None where no line speaks of it."""
        name, below = path.rpartition("/")[2], path[len(self.base) + 1 :]
        for group in reversed(self.groups):
            if group.matches(name, below, is_directory):
                return not group.negated
        return None


def ignored(path: str, is_directory: bool, files: Iterable[Ignores]) -> bool:
    """Whether any of the files, outermost first, ignores an absolute path."""
    for file in reversed(tuple(files)):
        verdict = file.verdict(path, is_directory)
        if verdict is not None:
            return verdict
    return False


def inherited(folder: str) -> tuple[Ignores, ...]:
    """Those of the folders above, up to the root of the repository; none outside a repository."""
    above: list[str] = []
    parent = os.path.dirname(os.path.abspath(folder))
    while True:
        above.append(parent)
        if os.path.exists(os.path.join(parent, ".git")):
            return tuple(file for place in reversed(above) for file in ignores_in(place))
        if os.path.dirname(parent) == parent:
            return ()
        parent = os.path.dirname(parent)


def ignores_in(folder: str) -> Iterator[Ignores]:
    """The folder's own .gitignore, where it has one with patterns."""
    try:
        with open(os.path.join(folder, GITIGNORE), encoding="utf-8-sig", errors="replace") as file:
            lines = [parsed for line in file if (parsed := _parse(line)) is not None]
    except OSError:
        return
    groups = tuple(_group(negated, tuple(same)) for negated, same in groupby(lines, lambda line: line.negated))
    if groups:
        yield Ignores(posix(folder).rstrip("/"), groups)


def _parse(line: str) -> _Line | None:
    line = line.rstrip()
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    body = line[1:] if negated else line
    directories_only = body.endswith("/")
    body = body.rstrip("/")
    return _Line(translate(body.lstrip("/")), negated, "/" not in body, directories_only) if body else None


def _group(negated: bool, lines: tuple[_Line, ...]) -> _Group:
    def compiled(by_name: bool, directories_only: bool) -> re.Pattern[str] | None:
        return any_of(
            line.pattern for line in lines if (line.by_name, line.directories_only) == (by_name, directories_only)
        )

    return _Group(negated, compiled(True, False), compiled(False, False), compiled(True, True), compiled(False, True))


def _full(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.fullmatch(text) is not None
