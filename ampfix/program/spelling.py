"""What an expression says at first sight, without asking what its names are bound to."""

from __future__ import annotations

import ast


def last_name(node: ast.expr) -> str:
    """`c` of `a.b.c`; empty for what is neither a name nor an attribute."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_super(node: ast.AST) -> bool:
    """Whether an expression is a call of the built-in `super`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
