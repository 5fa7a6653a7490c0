"""Hand-written clipping: gradients multiplied by a coefficient got by comparing their norm with a threshold."""

from __future__ import annotations

import ast

from ampfix.program.tree import walk

_EDITS = frozenset({"mul_", "div_"})
_NORMS = frozenset({"norm", "vector_norm", "get_total_norm", "_foreach_norm", "sqrt"})
_BOUNDS = frozenset({"min", "minimum", "clamp", "clip"})


def is_own_clip(node: ast.Call | ast.AugAssign, function: ast.AST) -> bool:
    """Whether this edit of `.grad` scales gradients down to a norm. Division by a constant or by a count is not."""
    coefficient = _coefficient(node, function)
    if coefficient is None or isinstance(coefficient, ast.Constant):
        return False
    values = _derivation(coefficient, function)
    names = {name for value in values for name in _called(value)}
    if any("scale" in name for value in values for name in _named(value)):
        return False  # a division by the loss scale: unscaling by hand
    bounded = bool(names & _BOUNDS) or _under_comparison(node, function)
    return bounded and any(_called(child) & _NORMS for child in [function])


def _coefficient(node: ast.Call | ast.AugAssign, around: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.AugAssign):
        edits = isinstance(node.op, (ast.Mult, ast.Div)) and _is_grad(node.target)
        return node.value if edits else None
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _EDITS or not node.args:
        return None
    return node.args[0] if _is_grad(function.value) or _is_listed(function.value, around) else None


def _is_listed(node: ast.expr, function: ast.AST) -> bool:
    """`for g in grads`, where `grads = [p.grad for p in parameters]`."""
    if not isinstance(node, ast.Name):
        return False
    lists = {
        loop.iter.id
        for loop in walk(function)
        if isinstance(loop, ast.For)
        and isinstance(loop.iter, ast.Name)
        and isinstance(loop.target, ast.Name)
        and loop.target.id == node.id
    }
    return any(
        isinstance(child, ast.Assign)
        and isinstance(child.value, ast.ListComp)
        and _is_grad(child.value.elt)
        and any(isinstance(target, ast.Name) and target.id in lists for target in child.targets)
        for child in walk(function)
    )


def _is_grad(node: ast.expr) -> bool:
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute):
            if node.attr == "grad":
                return True
            node = node.value
        else:
            node = node.func
    return False


def _derivation(expression: ast.expr, function: ast.AST) -> list[ast.expr]:
    """The expression and the values of the names in it, followed inside the function."""
    assigned: dict[str, list[ast.expr]] = {}
    for child in walk(function):
        if isinstance(child, ast.Assign):
            for target in child.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(child.value)
    found, pending, seen = [expression], [expression], set[str]()
    while pending:
        for name in _named(pending.pop()) - seen:
            seen.add(name)
            found.extend(assigned.get(name, ()))
            pending.extend(assigned.get(name, ()))
    return found


def _named(node: ast.AST) -> set[str]:
    names = {child.id for child in walk(node) if isinstance(child, ast.Name)}
    return names | {child.attr for child in walk(node) if isinstance(child, ast.Attribute)}


def _called(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for child in walk(node):
        if isinstance(child, ast.Call):
            function = child.func
            found.add(function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
    return found


def _under_comparison(node: ast.AST, function: ast.AST) -> bool:
    """Whether the edit lies under `if norm > threshold`."""
    for child in walk(function):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Compare):
            ordered = isinstance(child.test.ops[0], (ast.Gt, ast.GtE, ast.Lt, ast.LtE))
            if ordered and any(inner is node for statement in child.body for inner in walk(statement)):
                return any("norm" in name for name in _named(child.test))
    return False
