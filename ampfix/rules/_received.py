"""What a model is called by the functions and objects of the file that receive it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, Source
from ampfix.rules._halfmodels import CastModel
from ampfix.rules._places import are_alternatives, given_for
from ampfix.rules._region_switches import parameters_of
from ampfix.rules._shapes import function_of, handed_in, own, path


def received(model: CastModel, source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Name and owner of the parameters, and attributes set from them, that hold the model in what is called behind the
    cast."""
    function = function_of(model.place, source)
    for call in own(function):
        if not isinstance(call, ast.Call) or call.lineno <= model.place.lineno:
            continue
        handed = [path(one) for one in handed_in(call)]
        if model.name in handed and not are_alternatives(call, model.place, source):
            yield from _parameters(model.name, call, source)


def _parameters(name: str, call: ast.Call, source: Source) -> Iterator[tuple[str, ast.AST]]:
    for binding in source.resolve(call.func):
        node = binding.node
        if binding.form is Form.FUNCTION and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from ((parameter, node) for parameter in _named(name, node, call))
        elif binding.form is Form.CLASS and isinstance(node, ast.ClassDef):
            init = next((one for one in node.body if getattr(one, "name", "") == "__init__"), None)
            if isinstance(init, ast.FunctionDef):
                for parameter in _named(name, init, call):
                    yield parameter, init
                    yield from ((target, node) for target in _kept(parameter, init))


def _named(name: str, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call) -> Iterator[str]:
    for one in parameters_of(function):
        given = given_for(one.arg, function, call)
        if given is not None and path(given) == name:
            yield one.arg


def _kept(parameter: str, init: ast.FunctionDef) -> Iterator[str]:
    """The attributes that a constructor keeps a parameter as."""
    for node in own(init):
        if isinstance(node, ast.Assign) and path(node.value) == parameter:
            yield from (path(target) for target in node.targets if isinstance(target, ast.Attribute))
