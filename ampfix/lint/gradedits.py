"""Statements that write to gradients: which edits commute with the loss scale, and which throw gradients away."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from enum import Enum

from ampfix.patterns import pattern
from ampfix.program.tree import walk
from ampfix.records import dataclass

_BOUNDS = frozenset(
    {"clamp", "clip", "clamp_min", "clamp_max", "sign", "sgn", "tanh", "sigmoid", "pow", "sqrt", "square"}
)
_DRAWS = frozenset({"normal_", "uniform_", "exponential_", "cauchy_", "log_normal_"})
_DETACHES = frozenset({"detach", "detach_"})
_NOISE = pattern(r"randn|rand_like|normal|noise|laplace|uniform|sample")


class Change(Enum):
    """What happens to gradients. EDIT: a change that does not commute with scaling. ZERO: none are left."""

    READ = "read"
    EDIT = "edit"
    ZERO = "zero"


@dataclass(frozen=True)
class Edit:
    change: Change
    node: ast.AST


def change_of(node: ast.stmt, is_gradient: Callable[[ast.expr], bool], tests: Iterable[ast.expr]) -> Edit | None:
    """What a statement does to gradients, as far as the protocol cares. `tests` are those around it."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return _method(node.value, is_gradient, tests)
    if isinstance(node, ast.AugAssign) and is_gradient(node.target):
        adds = isinstance(node.op, (ast.Add, ast.Sub)) and _is_absolute([node.value], node.target, is_gradient)
        return Edit(Change.EDIT, node) if adds or isinstance(node.op, ast.Pow) else None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Attribute) and target.attr in ("grad", "data") and is_gradient(target):
            return _assigned(target, node.value, is_gradient, tests)
    return None


def _method(call: ast.Call, is_gradient: Callable[[ast.expr], bool], tests: Iterable[ast.expr]) -> Edit | None:
    function = call.func
    if not isinstance(function, ast.Attribute) or not function.attr.endswith("_"):
        return None
    name, arguments = function.attr, list(call.args)
    target = _viewed(function.value)
    if not is_gradient(target):  # torch.clamp_(p.grad, -1, 1)
        if not arguments or not is_gradient(arguments[0]):
            return None
        target = arguments.pop(0)
    arguments += [keyword.value for keyword in call.keywords if keyword.arg not in ("alpha", "value")]
    if name == "_foreach_zero_":
        return Edit(Change.ZERO, call) if not any(True for _ in tests) else None
    if name == "zero_" or (name == "fill_" and [getattr(one, "value", None) for one in arguments] == [0]):
        return Edit(Change.ZERO, call) if _everywhere(target, tests) else None
    bounded = name[:-1] in _BOUNDS and not any(map(mentions_scale, arguments))
    added = name in ("add_", "sub_", "addcmul_", "addcdiv_") and _is_absolute(arguments, target, is_gradient)
    return Edit(Change.EDIT, call) if bounded or added or name in _DRAWS else None


def _viewed(node: ast.expr) -> ast.expr:
    """What `.detach_()` hands back: the gradient itself."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _DETACHES
    return node.func.value if is_call else node  # type: ignore[attr-defined]


def _assigned(
    target: ast.Attribute, value: ast.expr, is_gradient: Callable[[ast.expr], bool], tests: Iterable[ast.expr]
) -> Edit | None:
    if isinstance(value, ast.Constant) and value.value is None:
        return Edit(Change.ZERO, target) if _everywhere(target, tests) else None
    return Edit(Change.EDIT, value) if _bends(value, target, is_gradient) else None


def _bends(value: ast.expr, target: ast.expr, is_gradient: Callable[[ast.expr], bool]) -> bool:
    """Whether the new gradient is the old one changed in a way that does not commute with scaling."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Add, ast.Sub)):
        sides = [value.left, value.right]
        if any(map(is_gradient, sides)):
            return _is_absolute([side for side in sides if not is_gradient(side)], target, is_gradient)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        name, arguments = value.func.attr, [*value.args, *(keyword.value for keyword in value.keywords)]
        receiver = value.func.value
        if name in _BOUNDS and not any(map(mentions_scale, arguments)):
            return is_gradient(receiver) or any(map(is_gradient, arguments[:1]))
    return False


def _is_absolute(terms: list[ast.expr], target: ast.expr, is_gradient: Callable[[ast.expr], bool]) -> bool:
    """Whether something is added that does not carry the scale: noise, a number, or the weights themselves."""
    parameter = _parameter(target)
    for term in terms:
        if mentions_scale(term):
            continue
        if _NOISE.search(ast.unparse(term)):
            return True
        if any(isinstance(child, ast.expr) and is_gradient(child) for child in walk(term)):
            continue
        is_number = isinstance(term, ast.Constant) and isinstance(term.value, float) and len(terms) == 1
        if is_number or (parameter is not None and _holds(term, parameter)):
            return True
    return False


def _holds(term: ast.expr, parameter: str) -> bool:
    """Whether a term is computed from the parameter's own values."""
    if ast.unparse(term) == parameter:
        return True
    if isinstance(term, ast.BinOp):
        return _holds(term.left, parameter) or _holds(term.right, parameter)
    if isinstance(term, ast.UnaryOp):
        return _holds(term.operand, parameter)
    if isinstance(term, ast.Attribute):
        return term.attr == "data" and _holds(term.value, parameter)
    if isinstance(term, ast.Call) and isinstance(term.func, ast.Attribute):
        return _holds(term.func.value, parameter) or any(_holds(argument, parameter) for argument in term.args)
    return False


def _parameter(target: ast.expr) -> str | None:
    """The parameter whose gradient is the target."""
    for child in walk(target):
        if isinstance(child, ast.Attribute) and child.attr == "grad":
            return ast.unparse(child.value)
    return None


def _everywhere(target: ast.expr, tests: Iterable[ast.expr]) -> bool:
    """Whether it happens to every parameter: under no test but that there is a gradient."""
    name = target.id if isinstance(target, ast.Name) else _parameter(target)
    if name is None or not name.isidentifier():
        return False
    return all(_names(test) == {name} and (name != _parameter(target) or "grad" in ast.unparse(test)) for test in tests)


def _names(node: ast.expr) -> set[str]:
    return {child.id for child in walk(node) if isinstance(child, ast.Name)}


def mentions_scale(node: ast.expr) -> bool:
    """Whether a name in the expression speaks of a scale, so that the value carries or divides it."""
    names = (child.id if isinstance(child, ast.Name) else getattr(child, "attr", "") for child in walk(node))
    return any("scale" in name.lower() for name in names)
