"""Objects that no caller hands to the function that would use them."""

from __future__ import annotations

import ast

from ampfix.program import Form, Source
from ampfix.rules._places import calls_of, default_of, function_of, given_for, is_constant

_MAX_CALLS = 3  # on the way from who hands None


def is_never_handed(step: ast.Call, source: Source) -> bool:
    """Whether what steps is a parameter for which every caller, and there is one, hands None."""
    scheduler, function = getattr(step.func, "value", None), function_of(step, source)
    if not isinstance(scheduler, ast.Name) or not isinstance(function, ast.FunctionDef):
        return False
    return _only_none(scheduler.id, function, source)


def _only_none(name: str, function: ast.FunctionDef, source: Source, depth: int = 0) -> bool:
    """Whether every caller in the file, and there is one, hands None to a parameter, or leaves it at that."""
    arguments = function.args
    order = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    callers = list(calls_of(function, source))
    if name not in order or order[:1] == ["self"] or not callers or depth > _MAX_CALLS:
        return False
    for call in callers:
        given = given_for(name, function, call)
        if given is None and not _unpacks(call):
            given = default_of(name, function)
        if given is None or not _is_none(given, function_of(call, source), source, depth):
            return False
    return True


def _is_none(value: ast.expr, around: ast.AST | None, source: Source, depth: int) -> bool:
    if isinstance(value, ast.Name) and isinstance(around, ast.FunctionDef):
        held = source.resolve(value)
        return all(one.form is Form.NONE for one in held) or _only_none(value.id, around, source, depth + 1)
    return is_constant(value, None)


def _unpacks(call: ast.Call) -> bool:
    """Whether a call may hand in more than it names."""
    return any(isinstance(one, ast.Starred) for one in call.args) or any(word.arg is None for word in call.keywords)
