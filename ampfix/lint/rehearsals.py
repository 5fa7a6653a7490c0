"""The dry runs of the programs around a checked file."""

from __future__ import annotations

import ast

from ampfix.dryrun import DryRun, rehearse
from ampfix.lint.memory import rehearsed, roomy
from ampfix.lint.project import Project, read_source
from ampfix.lint.read import UnreadableError, decode
from ampfix.lint.syntax import NOT_PYTHON

_MAX_PROGRAMS = 5  # that are run for one file
_MAX_CHARACTERS = 400_000  # of source text in one run; what lies beyond is not seen


def rehearsals(project: Project, path: str, text: str) -> tuple[tuple[DryRun, ...], frozenset[str]]:
    """The dry runs of the programs of a small project that reach a file, whose text is given, and what they depend on.
    Each program runs once for all files of its project."""
    programs, depends = project.programs(path)
    chosen = programs[:_MAX_PROGRAMS]
    if any(start not in project.runs for start in chosen):
        project.make_room()
    if text != _decoded(read_source(path)):  # as an editor has it
        return tuple(_run(start, _Files(project, {path: text})) for start in chosen), depends
    for start in chosen:
        if start not in project.runs:
            project.runs[start] = _run(start, _Files(project, {}))
    return tuple(project.runs[start] for start in chosen), depends


class _Files:
    """The files of one run, each parsed once. known: the texts of some."""

    def __init__(self, project: Project, known: dict[str, str]) -> None:
        self._project, self._known = project, known
        self._characters = 0

    def locate(self, symbol: str, importer: str) -> tuple[str, tuple[str, ...]] | None:
        target, _ = self._project.locate(symbol, importer)
        return None if target is None else (target.path, target.names)

    def tree(self, path: str) -> ast.Module | None:
        text = self._known.get(path) or _decoded(read_source(path))
        self._characters += len(text)
        if self._characters > _MAX_CHARACTERS:
            return None
        try:
            return ast.parse(text)
        except NOT_PYTHON:
            return None


def _run(start: str, files: _Files) -> DryRun:
    run = _roomily(start, files)
    rehearsed()
    return run


@roomy
def _roomily(start: str, files: _Files) -> DryRun:
    return rehearse(start, files)


def _decoded(data: bytes) -> str:
    try:
        return decode(data)
    except UnreadableError:
        return ""
