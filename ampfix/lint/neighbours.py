"""The files around one checked file, as far as they are looked at for its sake."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ampfix.lint.files import SourceFile, label, shown
from ampfix.lint.project import NEVER_LOCAL, Project
from ampfix.lint.scopes import Scope
from ampfix.lint.symbols import is_known

if TYPE_CHECKING:
    from ampfix.dryrun import DryRun

_AROUND_BYTES = 420_000  # of source text looked at for one file; the trainer of transformers alone imports 1.4 MB
_RE_EXPORTS = 12  # steps of one import through packages that pass names on


class Neighbours:
    """The project as one checked file sees it: each file once, and a note of every path that was looked at."""

    def __init__(self, own: SourceFile, project: Project | None) -> None:
        self.own, self._project = own, project
        path = os.path.abspath(own.path)
        self._files: dict[str, SourceFile | None] = {path: own}
        self._paths: dict[SourceFile, str] = {own: path}
        self._read = 0
        self._leading: dict[tuple[str, SourceFile], bool] = {}
        self.consulted: set[str] = set()

    def find(
        self, symbol: str, importer: SourceFile, *, only_training: bool = False
    ) -> tuple[SourceFile, tuple[str, ...]] | None:
        """The file an import of `symbol` in `importer` leads to, and the names to follow in it; None outside."""
        if self._project is None or symbol.partition(".")[0] in NEVER_LOCAL:
            return None
        target, probed = self._project.locate(symbol, self._paths[importer])
        self.consulted |= probed
        if target is None:
            return None
        if target.path not in self._files:
            if only_training and not self._project.trains(target.path, target.names):
                return None
            loaded = self._files[target.path] = self._load(target.path)
            if loaded is not None:
                self._paths[loaded] = target.path
                self._read += len(loaded.text)
        file = self._files[target.path]
        return None if file is None else (file, target.names)

    def _load(self, path: str) -> SourceFile | None:
        assert self._project is not None
        return self._project.load(path) if self._read + _size(path) <= _AROUND_BYTES else None

    def importing(self, word: str) -> list[str]:
        """The paths of the files of a small project that import the checked one and have a word in them."""
        if self._project is None:
            return []
        paths, depends = self._project.importers(self._paths[self.own], word)
        self.consulted |= depends
        return paths

    def importers(self, word: str) -> Iterator[SourceFile]:
        """Those of them that are worth parsing, all of each parsed."""
        for path in self.importing(word):
            file = self._project.load(path) if self._project is not None else None
            if file is not None:
                _ = file.index
                yield file

    def in_project(self, words: re.Pattern[bytes]) -> bool | None:
        """Whether a word occurs in any file of the small project around the checked one; None where none is seen."""
        if self._project is None:
            return None
        found, depends = self._project.holds(self._paths[self.own], words)
        self.consulted |= depends
        return found

    def rehearsals(self) -> tuple[DryRun, ...]:
        """The dry runs of the programs of a small project that reach the checked file."""
        if self._project is None:
            return ()
        from ampfix.lint.rehearsals import rehearsals  # which few files need

        runs, depends = rehearsals(self._project, self._paths[self.own], self.own.text)
        self.consulted |= depends
        return runs

    def plain_name(self, symbol: str, importer: SourceFile) -> str | None:
        """What an import of `symbol` is called by the file that defines it, where its text shows that without parsing
        it; None where the import leads on, or nowhere."""
        if self._project is None or symbol.partition(".")[0] in NEVER_LOCAL:
            return None
        target, probed = self._project.locate(symbol, self._paths[importer])
        if target is None or not target.names or target.path in self._files:
            return None
        self.consulted |= probed
        is_plain = self._project.defines(target.path, target.names[0])
        return f"{label(shown(target.path))}.{'.'.join(target.names)}" if is_plain else None

    def leads_to_training(self, symbol: str, importer: SourceFile) -> bool:
        """Whether an import of `symbol` leads to a file with training code, through re-exports."""
        key = (symbol, importer)
        if key not in self._leading:
            self._leading[key] = any(True for _ in self.training_files(symbol, importer))
        return self._leading[key]

    def function(self, path: str, qualname: str) -> tuple[ast.AST, Scope] | None:
        """A function of a file that was looked at, both as sites name them."""
        for file in self._paths:
            if file.path == path:
                file.scopes.root.names.get(qualname.partition(".")[0])  # so that it is parsed
                scopes = file.scopes.scope_of.items()
                return next(((node, scope) for node, scope in scopes if scope.qualname == qualname), None)
        return None

    def training_files(self, symbol: str, importer: SourceFile) -> Iterator[tuple[SourceFile, str]]:
        """The files with training code that an import leads to, through re-exports, each with the name imported."""
        pending, seen = [(symbol, importer)], set[tuple[str, SourceFile]]()
        while pending and len(seen) < _RE_EXPORTS:
            now = pending.pop()
            if now in seen:
                continue
            seen.add(now)
            found = self.find(*now, only_training=True)
            if found is None:
                continue
            file, names = found
            if file.trains:
                yield file, names[0] if names else ""
            if names and file.puts_off(names[0]):
                continue
            root = file.scopes.root.names
            passed_on = [d.symbol for d in root.get(names[0], ()) if d.symbol] if names else []
            if names and not root.get(names[0]):
                passed_on = [d.symbol.removesuffix("*") + names[0] for d in root.get("*", ())]
            pending.extend((further, file) for further in passed_on)


def is_idle(node: ast.expr, scope: Scope, neighbours: Neighbours) -> bool:
    """Whether an expression is a name that imports bring in, or an attribute of one, from where no training code can be
    reached: as a callee it is no event, and need not be looked up."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    definitions = scope.lookup(node.id) if isinstance(node, ast.Name) else []
    return bool(definitions) and all(
        definition.symbol
        and definition.scope is not None
        and _is_idle(".".join((definition.symbol, *reversed(names))), definition.scope.file, neighbours)
        for definition in definitions
    )


def _is_idle(symbol: str, importer: SourceFile | None, neighbours: Neighbours) -> bool:
    return not is_known(symbol) and (importer is None or not neighbours.leads_to_training(symbol, importer))


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
