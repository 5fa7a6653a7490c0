"""The dry runs of the programs around a checked file."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from ampfix.dryrun import DryRun, rehearse
from ampfix.lint.memory import roomy
from ampfix.lint.read import UnreadableError, decode
from ampfix.lint.syntax import NOT_PYTHON

_MAX_PROGRAMS = 5  # that are run for one file
_MAX_CHARACTERS = 400_000  # of source text in one run; what lies beyond is not seen

Located = Callable[[str, str], "tuple[str, tuple[str, ...]] | None"]


class Rehearsals:
    """Runs programs dry, each once. read: gives the bytes of a file; locate: where an import leads, and the names to
    follow there."""

    def __init__(self, read: Callable[[str], bytes], locate: Located) -> None:
        self._read, self._locate = read, locate
        self._runs: dict[str, DryRun] = {}

    def of(self, programs: Iterable[str], path: str, text: str) -> tuple[DryRun, ...]:
        """The runs of programs that reach a file, whose text is given."""
        chosen = list(programs)[:_MAX_PROGRAMS]
        if text != _decoded(self._read(path)):  # as an editor has it
            return tuple(_run(start, _Files(self._read, self._locate, {path: text})) for start in chosen)
        for start in chosen:
            if start not in self._runs:
                self._runs[start] = _run(start, _Files(self._read, self._locate, {}))
        return tuple(self._runs[start] for start in chosen)


class _Files:
    """The files of one run, each parsed once."""

    def __init__(self, read: Callable[[str], bytes], locate: Located, known: dict[str, str]) -> None:
        self._read, self.locate, self._known = read, locate, known
        self._characters = 0

    def tree(self, path: str) -> ast.Module | None:
        text = self._known.get(path) or _decoded(self._read(path))
        self._characters += len(text)
        if self._characters > _MAX_CHARACTERS:
            return None
        try:
            return ast.parse(text)
        except NOT_PYTHON:
            return None


@roomy
def _run(start: str, files: _Files) -> DryRun:
    return rehearse(start, files)


def _decoded(data: bytes) -> str:
    try:
        return decode(data)
    except UnreadableError:
        return ""
