"""Turns that end where the gradients turn out not to be finite: what stands behind runs with a step that is applied."""

from __future__ import annotations

import ast
import re

_NOT_FINITE = re.compile(r"isfinite|isnan|isinf")
_OF_GRADIENTS = re.compile(r"norm|grad")
_LEAVING = (ast.Continue, ast.Return, ast.Raise)


def gives_up_on_gradients(function: ast.AST, statement: ast.AST | None) -> bool:
    """Whether an `if` in front of the statement leaves the turn where the norm of the gradients is not finite."""
    line = getattr(statement, "lineno", 0)
    block: list[ast.stmt] = list(getattr(function, "body", []))
    while block:
        at = next((i for i, one in enumerate(block) if one.lineno <= line <= (one.end_lineno or one.lineno)), None)
        if at is None:
            return False
        if any(isinstance(earlier, ast.If) and _gives_up(earlier) for earlier in block[:at]):
            return True
        parts = [getattr(block[at], name, []) for name in ("body", "orelse", "finalbody")]
        block = [one for part in parts if isinstance(part, list) for one in part if isinstance(one, ast.stmt)]
    return False


def _gives_up(test: ast.If) -> bool:
    text = ast.unparse(test.test)
    return bool(isinstance(test.body[-1], _LEAVING) and _NOT_FINITE.search(text) and _OF_GRADIENTS.search(text))
