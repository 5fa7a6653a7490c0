"""Whether a call hands a function what it takes."""

from __future__ import annotations

import ast


def accepts(function: ast.AST, call: ast.Call) -> bool:
    """Whether a call of a function, or of a method through its object, does not raise for its arguments. What is handed
    on by stars, and what a decorator may add, is taken to be right."""
    arguments = getattr(function, "args", None)
    if not isinstance(arguments, ast.arguments) or getattr(function, "decorator_list", None):
        return True
    if any(isinstance(one, ast.Starred) for one in call.args) or any(word.arg is None for word in call.keywords):
        return True
    positional = [*arguments.posonlyargs, *arguments.args]
    positional = positional[bool(positional) and positional[0].arg in ("self", "cls") :]
    words = {word.arg for word in call.keywords}
    if len(call.args) > len(positional) and arguments.vararg is None:
        return False
    if arguments.kwarg is None and not words <= {one.arg for one in (*positional, *arguments.kwonlyargs)}:
        return False
    required = [
        *positional[len(call.args) : max(len(positional) - len(arguments.defaults), 0)],
        *(one for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None),
    ]
    return all(one.arg in words for one in required)
