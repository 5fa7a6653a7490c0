"""Starts runs at functions and classes that no program is seen to call."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ampfix.dryrun import library
from ampfix.dryrun.values import Class, Function, Library, ModuleOf, Scope, Thing, Value

if TYPE_CHECKING:
    from ampfix.dryrun.calls import Calls


class Roots:
    """Runs functions, and the methods of an object, with arguments that nothing is known of."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._state, self._store = calls, calls.state, calls.state.store

    def run(self, module: ModuleOf, name: str) -> None:
        """Run what a module calls by a name."""
        scope = Scope(module)
        value = self._calls.attribute(module, name, ast.Pass(), scope)
        if isinstance(value, Class):
            self._object(value, scope)
        elif isinstance(value, Function):
            self.function(value, scope)

    def started(self, module: ModuleOf) -> None:
        """Run the functions of a module that a library starts."""
        for function in self._state.started:
            if function.module is module and not self._is_reached(function.node, module):
                self.function(function, Scope(module))

    def all_of(self, module: ModuleOf, tree: ast.Module) -> None:
        """Run the functions and classes of a module that nothing runs, the last ones first: they use the others."""
        for statement in reversed(tree.body):
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = statement.body if isinstance(statement, ast.ClassDef) else [statement]
                if not any(self._is_reached(one, module) for one in inner):
                    self.run(module, statement.name)

    def _is_reached(self, node: ast.AST, module: ModuleOf) -> bool:
        return (module.path, getattr(node, "lineno", 0)) in self._state.reached

    def function(self, function: Function, scope: Scope, receiver: Thing | None = None) -> None:
        front: list[Value] = [receiver] if receiver is not None and function.kind != "staticmethod" else []
        given = self._given(function.node.args, function.scope)
        self._calls.run(function, front, given, function.node, scope)

    def _object(self, cls: Class, scope: Scope) -> None:
        """Make an object, and run the methods that no other method of it runs."""
        start = self._calls.objects.member(cls, "__init__")
        given = self._given(start.node.args, start.scope) if isinstance(start, Function) else {}
        made = self._calls.objects.instantiate(cls, [], given, cls.node, scope)
        assert isinstance(made, Thing)
        methods = [one for one in cls.node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
        for statement in sorted(methods, key=lambda one: one.name.startswith("_")):
            method = self._calls.objects.member(cls, statement.name)
            is_plain = isinstance(method, Function) and method.kind in ("", "staticmethod")
            if is_plain and not self._is_reached(statement, cls.module):
                assert isinstance(method, Function)
                self.function(method, scope, made)

    def _given(self, arguments: ast.arguments, scope: Scope) -> dict[str, Value]:
        """Nothing is known of any argument, but for what its annotation says."""
        given: dict[str, Value] = {"**": self._state.unknown()}
        for one in (*arguments.args, *arguments.kwonlyargs):
            annotated = one.annotation and self._calls.expressions.evaluate(one.annotation, scope)
            if isinstance(annotated, Library) and _is_told(annotated.symbol):
                given[one.arg] = self._argument(annotated.symbol, one, scope)
        return given

    def _argument(self, symbol: str, node: ast.arg, scope: Scope) -> Thing:
        thing = Thing(made_by=symbol, node=node, path=scope.module.path)
        if library.is_scaler(symbol):
            self._store.put(thing, "enabled", self._state.unknown(node, "enabled"))
        return thing


def _is_told(symbol: str) -> bool:
    return library.is_scaler(symbol) or library.is_optimizer(symbol)
