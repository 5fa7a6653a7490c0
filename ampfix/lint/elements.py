"""What the variable of a loop stands for."""

from __future__ import annotations

import ast

from ampfix.lint.frames import Frame, Namer
from ampfix.lint.usage import dotted


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
