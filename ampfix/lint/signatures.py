"""What the text of a function tells about calls of it: defaults, returned expressions, calls of `super`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ampfix.lint.scopes import FUNCTIONS
from ampfix.program.tree import children


def default_of(parameter: ast.arg, function: ast.AST) -> ast.expr | None:
    """What a parameter holds where a call does not set it."""
    if not isinstance(function, FUNCTIONS):
        return None
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((default for candidate, default in pairs if candidate is parameter), None)


def given_to(names: Sequence[str], call: ast.Call) -> dict[str, ast.expr]:
    """What a call sets each parameter to, as far as it writes them out one by one."""
    given = dict(zip(names, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return {name: value for name, value in given.items() if not isinstance(value, ast.Starred)}


def return_tests(function: ast.AST) -> dict[ast.expr, ast.expr]:
    """The test under which each returned value is reached, as far as `if` statements decide it; none for others."""
    found: dict[ast.expr, ast.expr] = {}
    if not isinstance(function, ast.Lambda):
        _note_returns(getattr(function, "body", []), [], found)
    return found


def _note_returns(body: Sequence[ast.stmt], tests: list[ast.expr], found: dict[ast.expr, ast.expr]) -> bool:
    """Go through a block that runs under some tests. False where its end is not reached."""
    tests = list(tests)
    for statement in body:
        if isinstance(statement, ast.Return):
            if statement.value is not None and tests:
                found[statement.value] = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
            return False
        if isinstance(statement, ast.Raise):
            return False
        if isinstance(statement, ast.If):
            refused = ast.UnaryOp(ast.Not(), statement.test)
            then = _note_returns(statement.body, [*tests, statement.test], found)
            orelse = _note_returns(statement.orelse, [*tests, refused], found)
            if not then and not orelse:
                return False
            if then != orelse:
                tests.append(statement.test if then else refused)
        elif isinstance(statement, (ast.With, ast.AsyncWith)) and not _note_returns(statement.body, tests, found):
            return False
    return True


def returned_values(function: ast.AST) -> Iterator[ast.expr]:
    """What a function's own `return` statements give; a lambda's body."""
    if isinstance(function, ast.Lambda):
        yield function.body
        return
    pending: list[ast.AST] = list(getattr(function, "body", []))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        elif isinstance(node, _HOLDING):
            pending.extend(children(node))


# What holds statements that run with the function around.
_HOLDING: tuple[type[ast.AST], ...] = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match),
    *(ast.ExceptHandler, ast.match_case),
    *([ast.TryStar] if hasattr(ast, "TryStar") else []),
)
