"""What the variable of a loop stands for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.frames import Frame, Namer
from ampfix.lint.scopes import Definition, Scope
from ampfix.lint.usage import dotted, names_optimizers, names_schedulers
from ampfix.program.tree import walk


def bind_elements(namer: Namer, target: ast.expr, source: ast.expr, frame: Frame, inner: Frame) -> None:
    """Loop variables stand for elements: `a` of `for a in xs` is xs[*], also through zip, enumerate and items."""
    name = dotted(source.func) or "" if isinstance(source, ast.Call) else ""
    if isinstance(source, ast.Call) and name in ("list", "tuple", "reversed", "sorted") and source.args:
        bind_elements(namer, target, source.args[0], frame, inner)
    elif isinstance(source, ast.Call) and name.endswith(".values") and isinstance(source.func, ast.Attribute):
        bind_elements(namer, target, source.func.value, frame, inner)
    elif isinstance(target, ast.Name):
        path = namer.canonical(source, frame)
        if path is not None:
            inner.bindings[target.id] = f"{path}[*]"
    elif isinstance(target, ast.Tuple) and isinstance(source, ast.Call):
        sources: list[ast.expr] = source.args if name == "zip" else []
        elements = target.elts
        if name == "enumerate" and source.args:
            sources, elements = source.args[:1], elements[1:]
        elif name.endswith(".items") and isinstance(source.func, ast.Attribute):
            sources, elements = [source.func.value], elements[1:]
        for element, inside in zip(elements, sources, strict=False):
            bind_elements(namer, element, inside, frame, inner)


def bind_number(node: ast.For | ast.AsyncFor, inner: Frame) -> list[ast.expr]:
    """The optimizers and schedulers that a loop takes out of their lists by its number, which are named as the elements
    that a loop over the lists would take: `optimizers[i]` is optimizers[*]."""
    number, file = _number(node), inner.scope.file
    if not number or file is None or f"s[{number}]" not in file.text:
        return []
    taken: list[ast.expr] = [
        one
        for statement in node.body
        for one in walk(statement)
        if isinstance(one, ast.Subscript) and getattr(one.slice, "id", "") == number and _holds_steppers(one)
    ]
    if taken:
        inner.bindings[f"[{number}]"] = "[*]"
    return taken


def _number(node: ast.For | ast.AsyncFor) -> str:
    """The name of the number that a loop counts."""
    counts = dotted(node.iter.func) if isinstance(node.iter, ast.Call) else ""
    if counts == "range":
        return getattr(node.target, "id", "")
    if counts == "enumerate" and isinstance(node.target, ast.Tuple):
        return getattr(node.target.elts[0], "id", "")
    return ""


def _holds_steppers(taken: ast.Subscript) -> bool:
    path = dotted(taken) or ""
    return names_schedulers(path) or names_optimizers(path.rpartition("[")[0].rpartition(".")[2])


def elements_of(variable: ast.Name, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
    """What the list holds that the loop around a variable goes over, where it is written out: `x or [Saver(path)]` in a
    constructor as well."""
    if scope.file is None or not any(_is_unknown(one) for one in scope.lookup(variable.id)):
        return
    around: ast.AST | None = variable
    while around is not None:
        if isinstance(around, ast.For) and getattr(around.target, "id", "") == variable.id:
            for value, there in _set_to(around.iter, scope):
                yield from ((one, there) for one in _listed(value))
            return
        around = scope.file.index.parents.get(around)


def _is_unknown(definition: Definition) -> bool:
    return definition.value is None and definition.node is None and not definition.symbol


def _set_to(node: ast.expr, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
    definitions: list[Definition] = []
    owner = scope.owner_class()
    if isinstance(node, ast.Name):
        definitions = scope.lookup(node.id)
    elif isinstance(node, ast.Attribute) and owner is not None and dotted(node.value) == scope.self_name():
        definitions = owner.attributes.get(node.attr, [])
    yield from ((one.value, one.scope) for one in definitions if one.value is not None and one.scope is not None)


def _listed(value: ast.expr) -> list[ast.expr]:
    if isinstance(value, ast.BoolOp):
        return [one for part in value.values for one in _listed(part)]
    return value.elts if isinstance(value, (ast.List, ast.Tuple)) else []
