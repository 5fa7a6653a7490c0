"""What a loop over a container of modules takes from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.lint.usage import dotted
from ampfix.program import Binding, Form
from ampfix.program.tree import walk

_LISTS = frozenset({"torch.nn.ModuleList", "torch.nn.modules.container.ModuleList"})
_DICTS = frozenset({"torch.nn.ModuleDict", "torch.nn.modules.container.ModuleDict"})
Element = tuple[ast.expr, Scope]
"""An expression, and where it is to be resolved."""


def elements(target: ast.expr, iterated: ast.expr, scope: Scope, resolver: Resolver) -> Iterator[tuple[str, Element]]:
    """The names that `for target in iterated` sets to modules, each with the first that it holds."""
    if isinstance(iterated, ast.Call):
        name = dotted(iterated.func) or ""
        if name == "enumerate" and isinstance(target, ast.Tuple) and iterated.args:
            target, iterated = target.elts[-1], iterated.args[0]
        elif name.endswith(".values") or (name.endswith(".items") and isinstance(target, ast.Tuple)):
            assert isinstance(iterated.func, ast.Attribute)
            target, iterated = target.elts[-1] if isinstance(target, ast.Tuple) else target, iterated.func.value
    element = element_of(iterated, scope, resolver) if dotted(iterated) else None
    if element is not None:
        yield from _named(target, element)


def _named(target: ast.expr, element: Element) -> Iterator[tuple[str, Element]]:
    """`for norm, attend in self.layers`, where each is a list of two."""
    made, scope = element
    if isinstance(target, ast.Name):
        yield target.id, element
    elif isinstance(target, ast.Tuple) and isinstance(made, ast.Call) and made.args:
        inner = made.args[0]
        if isinstance(inner, (ast.List, ast.Tuple)) and len(inner.elts) == len(target.elts):
            for name, one in zip(target.elts, inner.elts, strict=True):
                yield from _named(name, (one, scope))


def element_of(node: ast.expr, scope: Scope, resolver: Resolver) -> Element | None:
    """The first module in a container of them."""
    for binding in resolver.resolve(node, scope):
        if binding.form is not Form.INSTANCE or not isinstance(binding.node, ast.Call):
            continue
        if binding.symbol in _LISTS or binding.symbol in _DICTS:
            first = next(_held(binding, node), None)
            if first is not None:
                return first, binding.scope
    return None


def _held(binding: Binding, node: ast.expr) -> Iterator[ast.expr]:
    """What a container is built from, and what is appended to it where it is built."""
    given = binding.node.args[0] if binding.node.args else None
    if isinstance(given, (ast.ListComp, ast.GeneratorExp)):
        yield given.elt
    elif isinstance(given, ast.DictComp):
        yield given.value
    elif isinstance(given, (ast.List, ast.Tuple)):
        yield from given.elts
    elif isinstance(given, ast.Dict):
        yield from given.values
    names = {dotted(node), dotted(given) if given is not None else None} - {None}
    for call in walk(binding.scope.node) if binding.scope.is_function else ():
        if isinstance(call, ast.Call) and _appends_to(call.func, names):
            yield from call.args


def _appends_to(function: ast.expr, names: set[str | None]) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "append" and dotted(function.value) in names
