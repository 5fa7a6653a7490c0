"""Scopes of one module: which names each scope defines, and by what. Built in one walk."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ampfix.lint.files import SourceFile

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


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
    tests: tuple[tuple[ast.expr, bool], ...] = ()
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

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
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
        for scope in self.chain():
            if scope is not self and scope.is_class:
                continue
            if name in scope.names and name not in scope.outer_names:
                return scope.names[name]
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


class ScopeBuilder(ast.NodeVisitor):
    """Walks a module once. `scope_of` maps each function, class and the module to its scope; `within` each expression
    statement's scope is found through them by the lowering, which walks the same nesting."""

    def __init__(self, tree: ast.Module, file: SourceFile | None = None) -> None:
        self.root = Scope(tree, file=file)
        self.scope_of: dict[ast.AST, Scope] = {tree: self.root}
        self._scope = self.root
        self._tests: tuple[tuple[ast.expr, bool], ...] = ()
        for statement in tree.body:
            self.visit(statement)

    # names

    def _define(self, name: str, definition: Definition) -> None:
        scope = self._scope
        if name in scope.outer_names:
            scope = next((s for s in scope.chain() if s is not self._scope and name in s.names), self.root)
        scope.names.setdefault(name, []).append(definition)

    def _assign(self, target: ast.expr, value: ast.expr | None, item: int | None = None) -> None:
        definition = Definition(value=value, item=item, scope=self._scope, tests=self._tests, line=target.lineno)
        if isinstance(target, ast.Name):
            self._define(target.id, definition)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = self._scope.owner_class()
            if owner is not None and target.value.id == self._scope.self_name():
                owner.attributes.setdefault(target.attr, []).append(definition)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target, value)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, None)

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr | None) -> None:
        starred = any(isinstance(element, ast.Starred) for element in target.elts)
        for index, element in enumerate(target.elts):
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts) and not starred:
                self._assign(element, value.elts[index])
            else:
                self._assign(element, None if starred else value, None if starred else index)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._assign(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._assign(node.target, None)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._assign(node.target, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._assign(node.target, None)
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_comprehension(self, node: ast.comprehension) -> None:
        # A comprehension has a scope of its own; its targets hide nothing a training step binds.
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._assign(node.optional_vars, None)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self._scope.outer_names.update(node.names)

    visit_Nonlocal = visit_Global

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            symbol = alias.name if alias.asname else name
            self._define(name, Definition(symbol=symbol, scope=self._scope, tests=self._tests, line=node.lineno))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            symbol = f"{module}.{alias.name}" if not module.endswith(".") else module + alias.name
            name = alias.asname or alias.name
            self._define(name, Definition(symbol=symbol, scope=self._scope, tests=self._tests, line=node.lineno))

    # tests that a definition lies under

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        outer = self._tests
        for polarity, body in ((True, node.body), (False, node.orelse)):
            self._tests = (*outer, (node.test, polarity))
            for statement in body:
                self.visit(statement)
        self._tests = outer

    # scopes

    def _enter(self, node: ast.AST, body: list[ast.stmt] | list[ast.expr]) -> None:
        outer, tests = self._scope, self._tests
        self._scope, self._tests = Scope(node, outer, file=outer.file), ()
        self.scope_of[node] = self._scope
        if isinstance(node, FUNCTIONS):
            for parameter in (*parameters(node), node.args.vararg, node.args.kwarg):
                if parameter is not None:
                    self._scope.names[parameter.arg] = [
                        Definition(node=parameter, scope=self._scope, line=parameter.lineno)
                    ]
        for statement in body:
            self.visit(statement)
        self._scope, self._tests = outer, tests

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._define(node.name, Definition(node=node, scope=self._scope, tests=self._tests, line=node.lineno))
        for expression in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if expression is not None:
                self.visit(expression)
        self._enter(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._enter(node, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._define(node.name, Definition(node=node, scope=self._scope, tests=self._tests, line=node.lineno))
        for expression in (*node.decorator_list, *node.bases):
            self.visit(expression)
        self._enter(node, node.body)
