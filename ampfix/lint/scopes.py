"""Scopes of one module: which names each scope defines, and by what. Built in one walk."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ampfix.lint.defining import defining_lines, lies_on
from ampfix.lint.fallbacks import drop_fallbacks
from ampfix.program.tree import around_body, children
from ampfix.records import dataclass, field

if TYPE_CHECKING:
    from ampfix.lint.files import SourceFile

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Tests = tuple[tuple[ast.expr, bool], ...]  # (test, whether the if side)
_Block = tuple[Iterator[ast.AST], "Scope", Tests]  # of nodes that stand behind each other


@dataclass(frozen=True)
class Definition:
    """One way a name gets its value.

    Exactly one of these: symbol (an import), value (an expression; `item` picks an element of it), node (a function, a
    class or a parameter). All empty: the value is not known (loop targets, `with ... as`, augmented assignments).
    """

    symbol: str = ""
    value: ast.expr | None = None
    item: int | None = None
    node: ast.AST | None = None
    scope: Scope | None = field(default=None, compare=False)
    tests: Tests = ()
    line: int = 0


@dataclass(eq=False)
class Scope:
    """A module, class or function and the names defined in it.

    attributes: for a class, what methods set on self. receiver: for a method seen from a subclass, that subclass.
    """

    node: ast.AST
    parent: Scope | None = None
    names: dict[str, list[Definition]] = field(default_factory=dict)
    attributes: dict[str, list[Definition]] = field(default_factory=dict)
    outer_names: set[str] = field(default_factory=set)  # declared global or nonlocal
    file: SourceFile | None = None
    receiver: Scope | None = None

    @cached_property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @cached_property
    def is_function(self) -> bool:
        return isinstance(self.node, FUNCTIONS)

    @property
    def qualname(self) -> str:
        parts = [scope.label for scope in self.chain() if not isinstance(scope.node, ast.Module)]
        return ".".join(reversed(parts))

    @property
    def label(self) -> str:
        return str(getattr(self.node, "name", "<lambda>"))

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def root(self) -> Scope:
        """The module's scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def lookup(self, name: str) -> list[Definition]:
        """The definitions a name refers to here. Class bodies are not seen from the functions in them."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and name not in scope.outer_names and (scope is self or not scope.is_class):
                return scope.names[name]
            scope = scope.parent
        return []

    def owner_class(self) -> Scope | None:
        """The class whose `self` a name in this scope would mean: the one around the outermost enclosing function."""
        for scope in self.chain():
            if scope.is_function and scope.parent is not None and scope.parent.is_class:
                return scope.receiver or scope.parent
        return None

    def static_class(self) -> Scope | None:
        """The class whose body holds the outermost enclosing function, whatever `self` is."""
        method = self.method()
        return None if method is None else method.parent

    def method(self) -> Scope | None:
        """The enclosing method."""
        for scope in self.chain():
            if scope.is_function and scope.parent is not None and scope.parent.is_class:
                return scope
        return None

    def self_name(self) -> str | None:
        """The first parameter of the enclosing method."""
        return self._self_name

    @cached_property
    def _self_name(self) -> str | None:
        for scope in self.chain():
            if scope.is_function and scope.parent is not None and scope.parent.is_class:
                node = scope.node
                if isinstance(node, FUNCTIONS) and not _is_static(node):
                    arguments = [*node.args.posonlyargs, *node.args.args]
                    return arguments[0].arg if arguments else None
        return None


def _is_static(node: FunctionNode) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(decorator, ast.Name) and decorator.id == "staticmethod" for decorator in decorators)


def parameters(node: FunctionNode) -> list[ast.arg]:
    """Every parameter by name, in order; *args and **kwargs left out."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


class ScopeBuilder:
    """Goes over a module once. `scope_of` maps each function, class and the module to its scope.

    text: of the module. names: where the module's own are put.
    """

    def __init__(
        self,
        module: ast.Module,
        text: str,
        file: SourceFile | None = None,
        names: dict[str, list[Definition]] | None = None,
    ) -> None:
        self.root = Scope(module, names={} if names is None else names, file=file)
        self.scope_of: dict[ast.AST, Scope] = {module: self.root}
        self._tried: list[tuple[ast.Try, Scope]] = []
        self.add(module, text)

    def add(self, part: ast.Module, text: str) -> None:
        """Read statements of the module, which stand in a text at their own lines."""
        readers: dict[type[ast.AST], Callable[[Any, Scope, Tests], None]] = {
            ast.Assign: self._read_assign,
            ast.AnnAssign: self._read_annotated,
            ast.AugAssign: self._read_unknown,
            ast.NamedExpr: self._read_annotated,
            ast.For: self._read_unknown,
            ast.AsyncFor: self._read_unknown,
            ast.withitem: self._read_item,
            ast.Global: self._read_outer,
            ast.Nonlocal: self._read_outer,
            ast.Import: self._read_import,
            ast.ImportFrom: self._read_import_from,
            ast.FunctionDef: self._read_function,
            ast.AsyncFunctionDef: self._read_function,
            ast.Lambda: self._read_function,
            ast.ClassDef: self._read_class,
            ast.Try: self._read_try,
        }
        lines = defining_lines(text)
        pending: list[_Block] = [(iter(part.body), self.root, ())]
        while pending:
            nodes, scope, tests = pending[-1]
            for node in nodes:  # once for each statement; the rest of a block waits where one holds others
                kind = node.__class__
                reader = readers.get(kind)
                if reader is not None:
                    reader(node, scope, tests)
                if lines and lies_on(node, lines):
                    pending += reversed(self._everything_in(node, scope, tests))
                elif kind in _BLOCKS:
                    pending += reversed(self._statements_in(node, scope, tests))
                else:
                    continue
                break
            else:
                pending.pop()
        drop_fallbacks(self._tried)
        self._tried.clear()

    def _statements_in(self, node: ast.AST, scope: Scope, tests: Tests) -> list[_Block]:
        """What may define a name right inside a statement whose expressions define none."""
        if node.__class__ is ast.If:
            return _in_branches(node, scope, tests)
        own = self.scope_of.get(node)
        if own is not None:
            scope, tests = own, ()
        return [(iter(block), scope, tests) for name in _BLOCKS[node.__class__] if (block := getattr(node, name))]

    def _everything_in(self, node: ast.AST, scope: Scope, tests: Tests) -> list[_Block]:
        if node.__class__ is ast.If:
            return [(iter((node.test,)), scope, tests), *_in_branches(node, scope, tests)]
        own = self.scope_of.get(node)
        if own is None:
            return [(iter(children(node)), scope, tests)]
        before, code, behind = around_body(node)
        return [(iter(before), scope, tests), (iter(code), own, ()), (iter(behind), scope, tests)]

    def clear(self) -> None:
        """Let go of everything the scopes hold."""
        for scope in self.scope_of.values():
            scope.names.clear()
            scope.attributes.clear()
            scope.file = scope.parent = None
        self.scope_of.clear()

    # names

    def _define(self, name: str, definition: Definition, scope: Scope) -> None:
        if name in scope.outer_names:
            scope = next((s for s in scope.chain() if s is not scope and name in s.names), self.root)
        scope.names.setdefault(name, []).append(definition)

    def _assign(
        self, target: ast.expr, value: ast.expr | None, scope: Scope, tests: Tests, item: int | None = None
    ) -> None:
        # A comprehension has a scope of its own; its targets hide nothing a training step binds.
        if isinstance(target, ast.Name):
            self._define(target.id, Definition("", value, item, None, scope, tests, target.lineno), scope)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = scope.owner_class() if target.value.id == scope.self_name() else None
            if owner is not None:
                definition = Definition("", value, item, None, scope, tests, target.lineno)
                owner.attributes.setdefault(target.attr, []).append(definition)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target, value, scope, tests)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, None, scope, tests)

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr | None, scope: Scope, tests: Tests) -> None:
        starred = any(isinstance(element, ast.Starred) for element in target.elts)
        for index, element in enumerate(target.elts):
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts) and not starred:
                self._assign(element, value.elts[index], scope, tests)
            else:
                self._assign(element, None if starred else value, scope, tests, None if starred else index)

    def _read_assign(self, node: ast.Assign, scope: Scope, tests: Tests) -> None:
        for target in node.targets:
            self._assign(target, node.value, scope, tests)

    def _read_annotated(self, node: ast.AnnAssign | ast.NamedExpr, scope: Scope, tests: Tests) -> None:
        if node.value is not None:
            self._assign(node.target, node.value, scope, tests)

    def _read_unknown(self, node: ast.AugAssign | ast.For | ast.AsyncFor, scope: Scope, tests: Tests) -> None:
        self._assign(node.target, None, scope, tests)

    def _read_item(self, node: ast.withitem, scope: Scope, tests: Tests) -> None:
        if node.optional_vars is not None:
            self._assign(node.optional_vars, None, scope, tests)

    def _read_outer(self, node: ast.Global | ast.Nonlocal, scope: Scope, _: Tests) -> None:
        if scope.parent is not None:  # a module's own names are global anyway
            scope.outer_names.update(node.names)

    def _read_import(self, node: ast.Import, scope: Scope, tests: Tests) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            symbol = alias.name if alias.asname else name
            self._define(name, Definition(symbol=symbol, scope=scope, tests=tests, line=node.lineno), scope)

    def _read_import_from(self, node: ast.ImportFrom, scope: Scope, tests: Tests) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            symbol = f"{module}.{alias.name}" if not module.endswith(".") else module + alias.name
            name = alias.asname or alias.name
            self._define(name, Definition(symbol=symbol, scope=scope, tests=tests, line=node.lineno), scope)

    def _read_function(self, node: FunctionNode, scope: Scope, tests: Tests) -> None:
        if not isinstance(node, ast.Lambda):
            definition = Definition(node=node, scope=scope, tests=tests, line=node.lineno)
            self._define(node.name, definition, scope)
        inside = self.scope_of[node] = Scope(node, scope, file=scope.file)
        for parameter in (*parameters(node), node.args.vararg, node.args.kwarg):
            if parameter is not None:
                inside.names[parameter.arg] = [Definition(node=parameter, scope=inside, line=parameter.lineno)]

    def _read_class(self, node: ast.ClassDef, scope: Scope, tests: Tests) -> None:
        self._define(node.name, Definition(node=node, scope=scope, tests=tests, line=node.lineno), scope)
        self.scope_of[node] = Scope(node, scope, file=scope.file)

    def _read_try(self, node: ast.Try, scope: Scope, _: Tests) -> None:
        if node.handlers:
            self._tried.append((node, scope))


# The parts of a statement that hold statements, or, for `with`, names.
_BLOCKS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.If: ("body", "orelse"),
    ast.For: ("body", "orelse"),
    ast.AsyncFor: ("body", "orelse"),
    ast.While: ("body", "orelse"),
    ast.With: ("items", "body"),
    ast.AsyncWith: ("items", "body"),
    ast.Try: ("body", "handlers", "orelse", "finalbody"),
    ast.ExceptHandler: ("body",),
    ast.Match: ("cases",),
    ast.match_case: ("body",),
    ast.FunctionDef: ("body",),
    ast.AsyncFunctionDef: ("body",),
    ast.ClassDef: ("body",),
}
if hasattr(ast, "TryStar"):
    _BLOCKS[ast.TryStar] = _BLOCKS[ast.Try]


def _in_branches(node: ast.If, scope: Scope, tests: Tests) -> list[_Block]:
    sides = ((node.body, True), (node.orelse, False))
    return [(iter(block), scope, (*tests, (node.test, side))) for block, side in sides if block]
