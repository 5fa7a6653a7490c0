"""Which names each function of a file mentions, and which functions a name may call."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property

from ampfix.lint.scopes import ScopeBuilder
from ampfix.program.spelling import last_name
from ampfix.program.tree import TreeIndex, walk

# Methods whose names mean other things too: dict.update takes an argument, scaler.update none.
_ARGUMENTS = {"update": (0,), "step": (0, 1), "scale": (1,)}
BUILT = "scaler"
"""Stands among the methods for a scaler that is constructed, which is no event of a step by itself."""


class Mentions:
    """One file's names, seen without looking at what they are bound to."""

    def __init__(self, scopes: ScopeBuilder, index: TreeIndex) -> None:
        self._scopes, self._index = scopes, index

    @cached_property
    def used(self) -> dict[ast.AST, set[str]]:
        """Scope -> names and attributes in its own code; decorators count for what they decorate as well."""
        found: dict[ast.AST, set[str]] = {}
        for scope in self._scopes.scope_of:
            decorators: list[ast.expr] = getattr(scope, "decorator_list", [])
            used = found[scope] = _words(self._index.owned[scope])
            for decorator in decorators:
                used |= _words(walk(decorator))
        return found

    @cached_property
    def called(self) -> dict[ast.AST, set[str]]:
        """Scope -> methods it calls with as many arguments as scalers, optimizers and schedulers take, and BUILT."""
        found: dict[ast.AST, set[str]] = {}
        for scope in self._scopes.scope_of:
            calls = [node for node in self._index.owned[scope] if node.__class__ is ast.Call]
            found[scope] = {
                node.func.attr
                for node in calls
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _ARGUMENTS
                and len(node.args) in _ARGUMENTS[node.func.attr]
            }
            for node in calls:
                if isinstance(node, ast.Call) and "scaler" in last_name(node.func).lower():
                    found[scope].update(
                        [BUILT] if _is_construction(node) else _ARGUMENTS if _is_whole_step(node) else ()
                    )
        return found

    @cached_property
    def imports(self) -> tuple[tuple[str, str], ...]:
        """(name here, qualified name) of every import, wherever it stands."""
        return tuple(
            (name, definition.symbol)
            for scope in self._scopes.scope_of.values()
            for name, definitions in scope.names.items()
            for definition in definitions
            if definition.symbol
        )

    @cached_property
    def named(self) -> dict[str, list[ast.AST]]:
        """Name -> the functions it may call: those defined by it, lambdas assigned to it, methods of a class or an
        object so called."""
        found: dict[str, list[ast.AST]] = {}
        for node, scope in self._scopes.scope_of.items():
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.setdefault(node.name, []).append(node)
                if scope.parent is not None and node.name in ("__call__", "forward", "__enter__", "__init__"):
                    found.setdefault(scope.parent.label, []).append(node)
        lambdas = sorted(node.lineno for node in self._scopes.scope_of if isinstance(node, ast.Lambda))
        for name, value in self._assigned():
            first = bisect_left(lambdas, value.lineno)
            may_hold = first < len(lambdas) and lambdas[first] <= (value.end_lineno or value.lineno)
            functions = [child for child in walk(value) if isinstance(child, ast.Lambda)] if may_hold else []
            # An instance of a local class is called by the variable it is stored in; so is a function kept in one.
            called = value.func if isinstance(value, ast.Call) else value
            held = [called, *value.args[:1]] if isinstance(value, ast.Call) else [called]
            if isinstance(value, ast.IfExp):
                held = [value.body, value.orelse]
            more = [function for node in held for function in found.get(last_name(node), ())]
            if functions or more:
                # Once each: in `x = x(...)`, line after line, the list would double every time.
                found[name] = list(dict.fromkeys([*found.get(name, ()), *functions, *more]))
        return found

    def _assigned(self) -> Iterator[tuple[str, ast.expr]]:
        for scope in self._scopes.scope_of.values():
            for names in (scope.names, scope.attributes):
                for name, definitions in names.items():
                    for definition in definitions:
                        if definition.value is not None:
                            yield name, definition.value

    @cached_property
    def callers(self) -> dict[ast.AST, list[ast.AST]]:
        """Function -> the scopes that mention a name it goes by."""
        found: dict[ast.AST, list[ast.AST]] = {}
        for node, words in self.used.items():
            for word in words & self.named.keys():
                for function in self.named[word]:
                    found.setdefault(function, []).append(node)
        return found


def _words(nodes: Iterable[ast.AST]) -> set[str]:
    """Names and attributes among nodes."""
    kinds = (ast.Name, ast.Attribute)
    return {node.id if node.__class__ is ast.Name else node.attr for node in nodes if node.__class__ in kinds}  # type: ignore[union-attr]


def _is_construction(node: ast.Call) -> bool:
    """`GradScaler(...)`, called by the plain name of its class."""
    return isinstance(node.func, ast.Name) and node.func.id.lstrip("_")[:1].isupper()


def _is_whole_step(node: ast.Call) -> bool:
    """`loss_scaler(loss, optimizer)`, `self.loss_scaler(...)`: a wrapper that does the whole step, wherever its class
    lies."""
    return isinstance(node.func, ast.Name) or last_name(node.func)[0].islower()
