"""Scalers that are off, or never there."""

from __future__ import annotations

import ast
import re

from ampfix.program import Source
from ampfix.rules import _places as places
from ampfix.rules._flags import is_handed_on


def is_off(scaler: str, source: Source) -> bool:
    """Whether a scaler never scales anything, so that it has no state to lose."""
    built = [one for one in source.scalers if one.target.rpartition(".")[2] == scaler.rpartition(".")[2]]
    return all(
        _is_never_built(one.node, source)
        or (one.arguments is not None and places.is_constant(one.arguments.get("enabled"), False))
        for one in built
    ) and (bool(built) or _is_never_set(scaler, source))


def _is_never_built(built: ast.AST, source: Source) -> bool:
    """`GradScaler() if self.dtype == torch.float16 else None`, where that can only be another dtype, or under a switch
    that a helper hands back as False."""
    inner = built
    for around in places.within_function(built, source):
        if isinstance(around, (ast.If, ast.IfExp)):
            body = around.body if isinstance(around, ast.If) else [around.body]
            if inner in body and (_is_another_dtype(around.test, source) or is_handed_on(around.test, False, source)):
                return True
        inner = around
    return False


def _is_another_dtype(test: ast.expr, source: Source) -> bool:
    is_equal = isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Eq, ast.Is))
    if not isinstance(test, ast.Compare) or not is_equal or not isinstance(test.comparators[0], ast.Attribute):
        return False
    wanted, held = source.dtypes(test.comparators[0]), source.dtypes(test.left)
    return "unknown" not in wanted | held and not wanted & held


def _is_never_set(scaler: str, source: Source) -> bool:
    """Whether a scaler is an attribute of self that no file of the small project sets: whoever reads it fails."""
    own, _, name = scaler.partition(".")
    if own != "self" or not name.isidentifier():
        return False
    return source.in_project(re.compile(rf"\b{name}\b[^=\n]*=(?!=)|setattr\(|__getattr__|__dict__".encode())) is False
