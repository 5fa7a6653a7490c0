"""Who imports a file: an index of the imports below a small project's root, read from the texts alone.

All other answers follow a file's own imports, so that they cost what it imports. Who imports a file shows in any other
file of its project, which only a small one lets one read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice

from ampfix.patterns import pattern

MAX_FILES = 300  # Python files of a small project
_MAX_ENTRIES = 10_000  # files and folders of any kind below its root
_SKIPPED = frozenset({"build", "dist", "node_modules", "site-packages", "venv"})
_IMPORT = pattern(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n\r;#]*)|import[ \t]+([^\n\r;#(]+))", re.MULTILINE
)
_NAMES = pattern(rb"([.\w]+|\*)(?:\s+as\s+\w+)?")
_COMMENT = pattern(rb"#[^\n\r]*")
_BELOW = os.path.join("**", "*.py")

Locate = Callable[[str, str], "str | None"]
"""The path that an import of a symbol, in the file at a path, leads to."""


def all_below(root: str) -> str:
    """What stands, among the paths that an answer depends on, for all Python files below a folder."""
    return os.path.join(root, _BELOW)


def folder_of_all(path: str) -> str | None:
    """The folder, of a path that stands for all files below one."""
    return path.removesuffix(_BELOW) if path.endswith(_BELOW) else None


def python_files(root: str) -> list[str] | None:
    """The Python files of a small project, in order; None of a larger one."""
    found, pending, seen = list[str](), [root], 0
    while pending:
        entries = _entries(pending.pop())
        seen += len(entries)
        found += (entry.path for entry in entries if entry.name.endswith(".py"))
        if len(found) > MAX_FILES or seen > _MAX_ENTRIES:
            return None
        pending += (entry.path for entry in entries if _is_searched(entry))
    return sorted(found)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(islice(entries, _MAX_ENTRIES + 1))
    except OSError:
        return []


def _is_searched(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name in _SKIPPED:
        return False
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


class ImportIndex:
    """The imports of the Python files of one project. read: gives the bytes of a file."""

    def __init__(self, files: Sequence[str], read: Callable[[str], bytes], locate: Locate) -> None:
        self._files, self._read, self._locate = files, read, locate
        self._imported: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._files)

    def importing(self, path: str, word: str) -> list[str]:
        """The files that import the one at a path, be it through packages that pass names on, and have a word in them,
        in order."""
        found, pending = set[str](), [path]
        while pending:
            for importer in self._directly(pending.pop()):
                if importer not in found and importer != path:
                    found.add(importer)
                    if importer.endswith("__init__.py"):
                        pending.append(importer)
        return sorted(file for file in found if word.encode() in self._texts[file])

    def programs(self, path: str) -> list[str]:
        """The files that programs which reach the one at a path start from: that say what to do when they are started,
        or that lie in no package and nobody imports. In order, it first."""
        found, pending, starts = {path}, [path], list[str]()
        while pending:
            file = pending.pop(0)
            importing = [one for one in self._directly(file) if one != file]
            if b"__main__" in self._texts.get(file, b"") or (not importing and not self._is_packaged(file)):
                starts.append(file)
            pending += (one for one in importing if one not in found)
            found.update(importing)
        return starts

    def _is_packaged(self, file: str) -> bool:
        return os.path.join(os.path.dirname(file), "__init__.py") in self._texts

    def holds(self, words: re.Pattern[bytes]) -> bool:
        """Whether a word occurs in any of the files."""
        return any(words.search(text) for text in self._texts.values())

    def _directly(self, path: str) -> Iterator[str]:
        module = os.path.dirname(path) if path.endswith("__init__.py") else path.removesuffix(".py")
        name = os.path.basename(module)
        for file in self._files:
            data = self._texts[file]
            if name.encode() in data and any(self._leads_to(path, symbol, file) for symbol in self._naming(name, file)):
                yield file

    def _leads_to(self, path: str, symbol: str, importer: str) -> bool:
        return self._locate(symbol, importer) == path

    def _naming(self, name: str, file: str) -> Iterator[str]:
        if file not in self._imported:
            self._imported[file] = list(imported(self._texts[file]))
        return (symbol for symbol in self._imported[file] if name in symbol.split("."))

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        return {file: self._read(file) for file in self._files}


def imported(data: bytes) -> Iterator[str]:
    """What a text imports, by qualified names as its import statements spell them."""
    for match in _IMPORT.finditer(data):
        module, names, modules = match.groups()
        if module is None:
            yield from (name.decode() for name in _NAMES.findall(modules))
            continue
        start = module.decode() if module.endswith(b".") else f"{module.decode()}."
        yield from (start + name.decode() for name in _NAMES.findall(_COMMENT.sub(b"", names)))
