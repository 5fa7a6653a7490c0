"""What names stand for, and the modules that imports lead to."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING

from ampfix.dryrun.state import State
from ampfix.dryrun.store import chosen
from ampfix.dryrun.values import Choice, Imported, Known, Library, ModuleOf, Scope, Value

if TYPE_CHECKING:
    from ampfix.dryrun.flows import Flow
    from ampfix.dryrun.run import Files

_BUILTINS = frozenset(dir(builtins))


class Names:
    """The scopes of a run. block and attribute are those of the run."""

    block: Callable[[list[ast.stmt], Scope], Flow]
    attribute: Callable[[Value, str, ast.AST, Scope], Value]

    def __init__(self, state: State, files: Files) -> None:
        self._state, self._store, self._files = state, state.store, files
        self._scopes: dict[str, Scope] = {}
        self._stars: dict[Scope, list[ModuleOf]] = {}
        self._resolving: set[tuple[str, str]] = set()  # imports that are being looked at

    def look_up(self, name: str, scope: Scope) -> Value:
        """What a name stands for."""
        around: Scope | None = scope
        while around is not None:
            value = self._store.get(around, name)
            if value is not None:
                return self._seen(value)
            around = around.around
        for module in self._stars.get(self.top(scope), ()):
            value = self.member(module, name)
            if value is not None:
                return value
        if name in _BUILTINS:
            return Library(f"builtins.{name}")
        return self._state.unknown("name", scope.module.path, name)

    def top(self, scope: Scope) -> Scope:
        while scope.around is not None:
            scope = scope.around
        return scope

    def bind(self, name: str, value: Value, scope: Scope) -> None:
        """Bind a name in a scope, or where the scope declares that it belongs."""
        node = scope.function.node if scope.function is not None else None
        if node is not None and name in _declared(node):
            around = scope.around
            while around is not None and around.around is not None and self._store.get(around, name) is None:
                around = around.around
            scope = around or scope
        self._store.put(scope, name, value)

    def imported(self, module: str, name: str, scope: Scope) -> Value:
        """What an import brings in; it is looked at when it is used."""
        if name == "*":
            value = self._resolved(Imported(module, "", scope.module.path))
            if isinstance(value, ModuleOf):
                self._stars.setdefault(self.top(scope), []).append(value)
            return value
        return Imported(module, name, scope.module.path)

    def _seen(self, value: Value) -> Value:
        if isinstance(value, Choice):  # imported in one way or another
            return chosen(value.test, self._seen(value.yes), self._seen(value.no))
        return self._resolved(value) if isinstance(value, Imported) else value

    def _resolved(self, what: Imported) -> Value:
        separator = "" if not what.name or what.module.endswith(".") else "."
        symbol = f"{what.module}{separator}{what.name}"
        return self.located(symbol, what.importer) or Library(symbol)

    def located(self, symbol: str, importer: str) -> Value | None:
        """What a qualified name leads to in the project."""
        asked = symbol, importer
        if asked in self._resolving:  # an import that leads to itself
            return None
        self._resolving.add(asked)
        try:
            found = self._files.locate(symbol, importer)
            return None if found is None else self._inside(*found, symbol)
        finally:
            self._resolving.remove(asked)

    def _inside(self, path: str, names: tuple[str, ...], symbol: str) -> Value:
        value: Value = self.module(path)
        for name in names:
            if not isinstance(value, ModuleOf):
                return self.attribute(value, name, ast.Pass(), self._scopes[path])
            member = self.member(value, name)
            if member is None:
                return Library(symbol)
            value = member
        return value

    def member(self, module: ModuleOf, name: str) -> Value | None:
        """What a module calls by a name."""
        scope = self._scopes[module.path]
        value = self._store.get(scope, name)
        if value is not None:
            return self._seen(value)
        for star in self._stars.get(scope, ()):
            if star is not module and (value := self.member(star, name)) is not None:
                return value
        if module.path.endswith("__init__.py"):
            found = self._files.locate(f".{name}", module.path)
            if found is not None and not found[1]:
                return self.module(found[0])
        return None

    def set_member(self, module: ModuleOf, name: str, value: Value) -> None:
        self._store.put(self._scopes[module.path], name, value)

    def module(self, path: str) -> ModuleOf:
        """A module of the project, run when it is first asked for."""
        if path not in self._scopes:
            with self._state.apart():
                return self.run_module(path, "")
        return self._scopes[path].module

    def run_module(self, path: str, name: str) -> ModuleOf:
        module = ModuleOf(path, name)
        scope = self._scopes[path] = Scope(module)
        tree = self._files.tree(path)
        self._store.put(scope, "__name__", Known(name))
        self._store.put(scope, "__file__", Known(path))
        if tree is not None:
            self.block(tree.body, scope)
        return module


def _declared(node: ast.AST) -> frozenset[str]:
    known = getattr(node, "_declared", None)
    if known is None:
        known = frozenset(
            name for one in ast.walk(node) if isinstance(one, ast.Global | ast.Nonlocal) for name in one.names
        )
        node._declared = known  # type: ignore[attr-defined]
    return known
