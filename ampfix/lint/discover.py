"""Which files to check: files as named, directories walked without what git ignores or nobody means."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ampfix.lint.gitignore import GITIGNORE, Ignores, ignored, ignores_in, inherited
from ampfix.lint.globs import posix
from ampfix.lint.settings import Settings
from ampfix.records import dataclass

_NOTEBOOK = ".ipynb"
_SUFFIXES = (".py", ".pyi", _NOTEBOOK)


@dataclass(frozen=True)  # one for each file of a project
class Candidate:
    """A path to check with the settings of its folder, or what keeps it from being checked. named: by the user, as a
    file with the name of one that is checked."""

    path: str
    settings: Settings
    error: str = ""
    named: bool = False


SettingsOf = Callable[[str], Settings]
"""The settings of a folder."""


def discover(paths: Iterable[str], settings_of: SettingsOf = lambda _: Settings()) -> Iterator[Candidate]:
    """Every file to check, once, in order. A file named on the command line is checked whatever its name, unless its
    settings say `force-exclude`."""
    seen: set[str] = set()
    for name in paths:
        found: list[tuple[str, Candidate]] = []
        _expand(name, settings_of, found)
        for real, candidate in found:
            if real not in seen:
                seen.add(real)
                yield candidate


def is_notebook(path: str) -> bool:
    """Whether a file's name says that it is a Jupyter notebook."""
    return path.lower().endswith(_NOTEBOOK)


def _expand(name: str, settings_of: SettingsOf, found: list[tuple[str, Candidate]]) -> None:
    """Each file by its place without links."""
    path = Path(name)
    if path.is_dir():
        folder = str(path)
        above = inherited(folder) if settings_of(folder).respect_gitignore else ()
        _walk(folder, os.path.realpath(folder), settings_of, above, frozenset(), found)
        return
    settings = settings_of(str(path.parent))
    if settings.force_exclude and _excluded_with_parents(path, settings):
        return
    error = ""
    if not path.exists():
        is_link = path.is_symlink()
        error = "is a symbolic link that leads nowhere or to itself" if is_link else "no such file or directory"
    found.append((os.path.realpath(path), Candidate(str(path), settings, error, name.endswith(_SUFFIXES))))


def _excluded_with_parents(path: Path, settings: Settings) -> bool:
    parents = [parent for parent in Path(os.path.abspath(path)).parents if parent.name]
    return settings.excludes(posix(path), False) or any(settings.excludes(posix(parent), True) for parent in parents)


def _walk(
    folder: str,
    real: str,
    settings_of: SettingsOf,
    above_ignores: tuple[Ignores, ...],
    above: frozenset[str],
    found: list[tuple[str, Candidate]],
) -> None:
    if real in above:  # a link back to a directory around it
        return
    settings = settings_of(folder)
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=_name)
    except OSError:
        return
    ignores = above_ignores if settings.respect_gitignore else ()
    if settings.respect_gitignore and any(entry.name == GITIGNORE for entry in entries):
        ignores = (*ignores, *ignores_in(folder))
    absolute = posix(folder).rstrip("/")
    prefix, real_prefix = "" if folder == "." else os.path.join(folder, ""), os.path.join(real, "")
    for entry in entries:
        name = entry.name
        is_directory = _is(entry.is_dir)
        if not is_directory and not name.endswith(_SUFFIXES):
            continue
        place = f"{absolute}/{name}"
        if settings.excludes(place, is_directory) or (ignores and ignored(place, is_directory, ignores)):
            continue
        path = prefix + name
        inside = os.path.realpath(path) if entry.is_symlink() else real_prefix + name
        if is_directory:
            _walk(path, inside, settings_of, ignores, above | {real}, found)
        elif _is(entry.is_file):
            found.append((inside, Candidate(path, settings)))


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:  # a link to itself
        return False
