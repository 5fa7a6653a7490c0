"""The files around a checked one: where an import leads, and the parsed files it leads to.

Import roots are read from the file system alone, so that an answer does not depend on which paths were named: the
folder around the importer's package, the folders above it up to the project's root, `src` below that root, and, as for
scripts, the importer's own folder.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ampfix.lint.files import SourceFile, shown
from ampfix.lint.importers import ImportIndex, all_below, python_files
from ampfix.lint.kept import KeptFiles
from ampfix.lint.packages import bound_names
from ampfix.lint.piecewise import PiecewiseFile, neighbour
from ampfix.lint.read import UnreadableError, decode
from ampfix.lint.relevance import is_worth_parsing, passes_on, trains
from ampfix.patterns import pattern
from ampfix.records import dataclass

if TYPE_CHECKING:
    from ampfix.dryrun import DryRun

_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", ".git", ".hg")
_CLIMB = 8  # folders above a package that are searched for the project's root
_TINY = 30  # files
_UNMARKED = 2  # folders above a package that may be the root where no marker shows it
_MAX_BYTES = 400_000  # larger files are tables or generated
_WORD = pattern(rb"[\w\x80-\xff]+|\*")
_EVERYTHING = b"*"
_DEFINED = pattern(rb"^(?:(?:async\s+)?def|class)\s+(\w+)", re.MULTILINE)
NEVER_LOCAL = frozenset(sys.stdlib_module_names) | {"torch", "numpy", "torchvision"}


@dataclass(frozen=True)
class Target:
    """Where a qualified name leads: a file, and the names to follow inside it (none: the module itself)."""

    path: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Listing:
    files: frozenset[str]
    folders: frozenset[str]


class Project:
    """Finds and keeps neighbours. Answers hold as long as the files do not change; `forget` a path that did."""

    def __init__(self) -> None:
        self._listings: dict[str, _Listing] = {}
        self._roots: dict[str, tuple[str, ...]] = {}
        self._folders: dict[str, str] = {}  # of files
        self._targets: dict[tuple[str, str], tuple[Target | None, frozenset[str]]] = {}
        self._files = KeptFiles()
        self._trains: dict[str, bool] = {}
        self._passing: dict[str, frozenset[bytes]] = {}  # the words of files that pass names on and do not train
        self._defined: dict[str, frozenset[bytes]] = {}
        self._bound: dict[str, frozenset[bytes]] = {}
        self._indexes: dict[str, ImportIndex | None] = {}
        self.runs: dict[str, DryRun] = {}  # of the programs of that project, by where they start

    def forget(self, path: str) -> None:
        """Read a path anew when it is next asked for."""
        absolute = os.path.abspath(path)
        self._files.drop(absolute)
        self._trains.pop(absolute, None)
        self._passing.pop(absolute, None)
        self._defined.pop(absolute, None)
        self._bound.pop(absolute, None)
        self._listings.pop(os.path.dirname(absolute), None)
        self._roots.clear()
        self._targets.clear()
        self._indexes.clear()
        self.runs.clear()

    # where names lead

    def locate(self, symbol: str, importer: str) -> tuple[Target | None, frozenset[str]]:
        """Where an import of `symbol` in the file `importer` leads, and the paths that were looked for on the way."""
        folder = self._folders.get(importer)
        if folder is None:
            folder = self._folders[importer] = os.path.dirname(os.path.abspath(importer))
        key = (symbol, folder)
        known = self._targets.get(key)
        if known is None:
            probed: set[str] = set()
            known = self._targets[key] = self._locate(symbol, folder, probed), frozenset(probed)
        return known

    def _locate(self, symbol: str, folder: str, probed: set[str]) -> Target | None:
        parts = symbol.lstrip(".").split(".")
        level = len(symbol) - len(symbol.lstrip("."))
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._descend(folder, parts, probed, inside=True)
        if parts[0] in NEVER_LOCAL:
            return None
        probed.update(os.path.join(around, "__init__.py") for around in _around(folder, self._import_roots(folder)[0]))
        found = (self._descend(root, parts, probed, inside=False) for root in self._import_roots(folder))
        return next((target for target in found if target is not None), None)

    def _descend(self, folder: str, parts: list[str], probed: set[str], *, inside: bool) -> Target | None:
        for index, part in enumerate(parts):
            listing = self._listing(folder)
            module, package = os.path.join(folder, f"{part}.py"), os.path.join(folder, part)
            probed.update((module, os.path.join(package, "__init__.py")))
            is_there = part in listing.folders or f"{part}.py" in listing.files
            if is_there and inside and index == len(parts) - 1:
                probed.add(os.path.join(folder, "__init__.py"))
                if self._binds(folder, part):
                    return Target(os.path.join(folder, "__init__.py"), (part,))
            if part in listing.folders and (
                f"{part}.py" not in listing.files or "__init__.py" in self._listing(package).files
            ):
                folder, inside = package, True
                continue
            if f"{part}.py" in listing.files:
                return Target(module, tuple(parts[index + 1 :]))
            return self._package(folder, tuple(parts[index:]), probed) if inside else None
        return self._package(folder, (), probed)

    def _package(self, folder: str, names: tuple[str, ...], probed: set[str]) -> Target | None:
        probed.add(os.path.join(folder, "__init__.py"))
        exists = "__init__.py" in self._listing(folder).files
        return Target(os.path.join(folder, "__init__.py"), names) if exists else None

    def _binds(self, package: str, name: str) -> bool:
        """Whether a package gives a name of its own to what is also the name of a module in it."""
        path = os.path.join(package, "__init__.py")
        if "__init__.py" not in self._listing(package).files:
            return False
        if path not in self._bound:
            self._bound[path] = bound_names(read_source(path), os.path.basename(package))
        return name.encode() in self._bound[path]

    def _import_roots(self, folder: str) -> tuple[str, ...]:
        if folder not in self._roots:
            self._roots[folder] = tuple(dict.fromkeys(self._find_roots(folder)))
        return self._roots[folder]

    def _find_roots(self, folder: str) -> Iterator[str]:
        top, own = self._top_of(folder)
        above, projects = self._above(top)
        yield top
        yield from above
        yield from (os.path.join(one, "src") for one in projects if "src" in self._listing(one).folders)
        yield from own

    def _top_of(self, folder: str) -> tuple[str, list[str]]:
        """The folder around the outermost package of a folder, and the packages inside it, innermost first."""
        own = list[str]()
        while "__init__.py" in self._listing(folder).files and os.path.dirname(folder) != folder:
            own.append(folder)
            folder = os.path.dirname(folder)
        return folder, own

    def _above(self, top: str) -> tuple[list[str], list[str]]:
        """The folders above one that imports may start from, and those that may be the project's root, inner first."""
        above, root = list[str](), top
        for _ in range(_CLIMB):
            if any(marker in self._listing(root).files | self._listing(root).folders for marker in _MARKERS):
                return above, [root]
            root = os.path.dirname(root)
            above.append(root)
        nearest = above[:_UNMARKED]  # of an unpacked archive, say
        return nearest, [top, *nearest]

    def _listing(self, folder: str) -> _Listing:
        if folder not in self._listings:
            files, folders = set[str](), set[str]()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        (folders if _is_folder(entry) else files).add(entry.name)
            except OSError:
                pass
            self._listings[folder] = _Listing(frozenset(files), frozenset(folders))
        return self._listings[folder]

    # who imports a file

    def importers(self, path: str, word: str) -> tuple[list[str], frozenset[str]]:
        """The files that import one and have a word in them, where its project is small, and what that depends on."""
        index, asked = self._index_around(path)
        return [] if index is None else index.importing(path, word), asked

    def programs(self, path: str) -> tuple[list[str], frozenset[str]]:
        """Where the programs that reach a file start, where its project is small, and what that depends on. What
        nothing marks as a project may be an installed package, unless it is tiny."""
        index, asked = self._index_around(path)
        is_marked = len(self._above(self._top_of(os.path.dirname(path))[0])[1]) == 1
        if index is None or (len(index) > _TINY and not is_marked):
            return [], asked
        return index.programs(path), asked

    def holds(self, path: str, words: re.Pattern[bytes]) -> tuple[bool | None, frozenset[str]]:
        """Whether a word occurs in any file of the small project around a file, and what that depends on; None where it
        is not small."""
        index, asked = self._index_around(path)
        return None if index is None else index.holds(words), asked

    def _index_around(self, path: str) -> tuple[ImportIndex | None, frozenset[str]]:
        top, _ = self._top_of(os.path.dirname(path))
        _, projects = self._above(top)
        asked = set[str]()
        for root in reversed(projects):
            asked.add(all_below(root))
            index = self._index_of(root)
            if index is not None:
                return index, frozenset(asked)
        return None, frozenset(asked)

    def _index_of(self, root: str) -> ImportIndex | None:
        """The imports of a small project. Its texts are kept until it is left."""
        if root not in self._indexes:
            files = python_files(root)
            if files is not None:
                self._leave()
            self._indexes[root] = None if files is None else ImportIndex(files, read_source, self._target)
        return self._indexes[root]

    def _enter(self, path: str) -> None:
        """Let go of the small project that a file lies outside of."""
        roots = (root for root, index in self._indexes.items() if index is not None)
        if any(not path.startswith(os.path.join(root, "")) for root in roots):
            self._leave()

    def _leave(self) -> None:
        self._indexes = dict.fromkeys(root for root, index in self._indexes.items() if index is None)
        self.runs.clear()

    def _target(self, symbol: str, importer: str) -> str | None:
        target, _ = self.locate(symbol, importer)
        return None if target is None else target.path

    # files

    def opened(self, text: str, path: str) -> SourceFile:
        """The file to be checked, parsed, and kept for those that import it. Raises SyntaxError."""
        absolute = os.path.abspath(path)
        self._enter(absolute)
        self._files.begin()
        known = self._files.get(absolute)
        is_whole = not isinstance(known, PiecewiseFile)
        if known is not None and is_whole and known.text == text and known.path == path:
            self._files.use(absolute)
            return known
        self._files.drop(absolute)
        self._files.settle(len(text))
        file = SourceFile(text, path)
        self._files.put(absolute, file)
        return file

    def settle(self) -> None:
        """Free what is no longer kept. Nothing that was made from it may be in use."""
        self._files.settle()

    def make_room(self) -> None:
        """Free all that the check that goes on does not use."""
        self._files.free_idle()

    def load(self, path: str) -> SourceFile | None:
        """The parsed file; None where it is not worth parsing or cannot be."""
        if path in self._files:
            file = self._files.use(path)
            # What others see of a file must not depend on whether it was checked before them.
            return file if file is not None and file.is_worth_parsing else None
        file = _parsed(path)
        self._files.put(path, file)
        return file

    def trains(self, path: str, names: tuple[str, ...]) -> bool:
        """Whether a file is worth parsing for training code that it holds, or passes on by the first of the names."""
        if path not in self._trains:
            data = read_source(path)
            self._trains[path] = trains(data)
            is_passing = not self._trains[path] and passes_on(path, data)
            self._passing[path] = frozenset(_WORD.findall(data)) if is_passing else frozenset()
        passing = self._passing[path]
        return self._trains[path] or (bool(names) and (names[0].encode() in passing or _EVERYTHING in passing))

    def defines(self, path: str, name: str) -> bool:
        """Whether a file worth parsing defines a name by itself, at its top level."""
        if path not in self._defined:
            data = read_source(path)
            found = _DEFINED.findall(data) if is_worth_parsing(path, data) else ()
            self._defined[path] = frozenset(found)
        return name.encode() in self._defined[path]


def _parsed(path: str) -> SourceFile | None:
    data = read_source(path)
    if not is_worth_parsing(path, data):
        return None
    try:
        return neighbour(decode(data), shown(path))
    except (UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read_source(path: str) -> bytes:
    """A file's bytes without a byte order mark; none where it cannot be read or is too large."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError:
        return b""
    return data.removeprefix(codecs.BOM_UTF8) if len(data) <= _MAX_BYTES else b""


def _around(folder: str, top: str) -> Iterator[str]:
    """The folders from a file's own up to the one that holds its package."""
    while folder != top:
        yield folder
        folder = os.path.dirname(folder)
    yield top


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
