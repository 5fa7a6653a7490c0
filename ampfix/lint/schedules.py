"""Learning rate schedules written by hand: classes of the project whose `step` sets the rate of an optimizer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program.tree import walk

_OF_OPTIMIZERS = frozenset({"step", "backward", "zero_grad"})


def is_schedule(definition: ast.ClassDef) -> bool:
    """Whether `step()` of a class sets a learning rate, by itself or by another method, and steps no optimizer."""
    methods = {one.name: one for one in definition.body if isinstance(one, ast.FunctionDef)}
    step = methods.get("step")
    if step is None or "zero_grad" in methods or _needs_arguments(step):
        return False
    run = [step, *(methods[name] for name in _called(step) if name in methods and name != "step")]
    return any(map(_sets_rate, run)) and not any(_OF_OPTIMIZERS & set(_called(method)) for method in run)


def _needs_arguments(method: ast.FunctionDef) -> bool:
    given = [*method.args.posonlyargs, *method.args.args]
    return len(given) - len(method.args.defaults) > 1 or any(one is None for one in method.args.kw_defaults)


def _called(method: ast.AST) -> Iterator[str]:
    return (
        node.func.attr for node in walk(method) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    )


def _sets_rate(method: ast.AST) -> bool:
    stored = (node for node in walk(method) if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
    return any(isinstance(node.slice, ast.Constant) and node.slice.value == "lr" for node in stored)
