"""Which files to check: files as named, directories walked without what git ignores or nobody means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

# Directories that hold no code of the project itself.
DEFAULT_EXCLUDE = (
    ".*",
    "__pycache__",
    "__pypackages__",
    "_build",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
    "*.egg-info",
)
_SUFFIXES = (".py", ".pyi")


@dataclass(frozen=True)
class Candidate:
    """A path to check, or what keeps it from being checked."""

    path: Path
    error: str = ""


def discover(paths: Iterable[str], exclude: Iterable[str] = ()) -> Iterator[Candidate]:
    """Every file to check, once, in order. A file named on the command line is checked whatever its name."""
    seen: set[str] = set()
    for name in paths:
        for candidate in _expand(Path(name), tuple(exclude)):
            key = os.path.realpath(candidate.path)
            if key not in seen:
                seen.add(key)
                yield candidate


def _expand(path: Path, exclude: tuple[str, ...]) -> Iterator[Candidate]:
    if path.is_dir():
        yield from (Candidate(found) for found in _walk(path, exclude, _inherited_ignores(path), frozenset()))
    elif path.suffix == ".ipynb" and path.exists():
        yield Candidate(path, "notebooks are not supported yet; export it with `jupyter nbconvert --to script`")
    elif path.exists():
        yield Candidate(path)
    elif path.is_symlink():
        yield Candidate(path, "is a symbolic link that leads nowhere or to itself")
    else:
        yield Candidate(path, "no such file or directory")


def _walk(
    folder: Path, exclude: tuple[str, ...], ignores: tuple[_Ignore, ...], above: frozenset[str]
) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link back to a directory around it
        return
    ignores = (*ignores, *_ignores(folder))
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = folder / entry.name
        is_directory = _is_directory(entry)
        if _excluded(path, is_directory, exclude) or _ignored(path, is_directory, ignores):
            continue
        if is_directory:
            yield from _walk(path, exclude, ignores, above | {real})
        elif entry.name.endswith(_SUFFIXES) and path.is_file():
            yield path


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _excluded(path: Path, is_directory: bool, exclude: tuple[str, ...]) -> bool:
    if is_directory and any(fnmatch(path.name, pattern) for pattern in DEFAULT_EXCLUDE):
        return True
    text = path.as_posix()
    return any(
        fnmatch(path.name, pattern) or fnmatch(text, pattern) or fnmatch(text, f"*/{pattern.rstrip('/')}")
        for pattern in exclude
    )


# .gitignore


@dataclass(frozen=True)
class _Ignore:
    """One line of a .gitignore, anchored at its folder."""

    base: str
    pattern: re.Pattern[str]
    negated: bool
    directories_only: bool


def _ignored(path: Path, is_directory: bool, ignores: tuple[_Ignore, ...]) -> bool:
    """The last line that matches decides."""
    text = str(path.absolute())
    for ignore in reversed(ignores):
        if ignore.directories_only and not is_directory:
            continue
        if ignore.pattern.fullmatch(os.path.relpath(text, ignore.base).replace(os.sep, "/")):
            return not ignore.negated
    return False


def _inherited_ignores(folder: Path) -> tuple[_Ignore, ...]:
    """Those of the folders above, up to the root of the repository."""
    above: list[Path] = []
    for parent in folder.absolute().parents:
        above.append(parent)
        if (parent / ".git").exists():
            return tuple(ignore for place in reversed(above) for ignore in _ignores(place))
    return ()


def _ignores(folder: Path) -> tuple[_Ignore, ...]:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    base = str(folder.absolute())
    return tuple(ignore for line in lines if (ignore := _parse_ignore(line, base)) is not None)


def _parse_ignore(line: str, base: str) -> _Ignore | None:
    line = line.rstrip()
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    body = line[1:] if negated else line
    directories_only = body.endswith("/")
    body = body.rstrip("/")
    anchored = "/" in body
    pattern = _glob(body.lstrip("/"))
    try:
        compiled = re.compile(pattern if anchored else f"(?:.*/)?{pattern}")
    except re.error:
        return None
    return _Ignore(base, compiled, negated, directories_only)


_GLOB_TOKENS = re.compile(r"\*\*/|/\*\*|\*|\?|\[!?[^\]]+\]|.", re.DOTALL)
_GLOB_MEANING = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}


def _glob(pattern: str) -> str:
    def meaning(token: str) -> str:
        if len(token) > 1 and token.startswith("["):
            return token.replace("[!", "[^")
        return _GLOB_MEANING.get(token) or re.escape(token)

    return "".join(meaning(token) for token in _GLOB_TOKENS.findall(pattern))
