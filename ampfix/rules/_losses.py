"""What runs backward, and what it is computed from."""

from __future__ import annotations

import ast

from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._shapes import method, own, path

_LOSSES = ("torch.nn.functional.", "torch.nn.")
_NOT_LOSSES = ("softmax", "normalize", "relu", "dropout", "pad", "interpolate", "one_hot", "Sequential", "Module")


def loss_of(call: ast.Call) -> ast.expr | None:
    """What runs backward, without `scaler.scale(...)` around it."""
    if not isinstance(call.func, ast.Attribute):
        return None
    loss = call.func.value
    if isinstance(loss, ast.Call) and isinstance(loss.func, ast.Attribute) and loss.func.attr == "scale" and loss.args:
        return loss.args[0]
    return loss


def derivation(loss: ast.expr, source: Source) -> list[ast.expr]:
    """The loss and what the names in it are set to, inside its function."""
    values = assigned_in_sight(loss, source)
    found, pending, seen = [loss], [loss], set[str]()
    while pending:
        for name in places.names_in(pending.pop()) - seen:
            seen.add(name)
            found += values.get(name, ())
            pending += values.get(name, ())
    return found


def assigned_in_sight(loss: ast.expr, source: Source) -> dict[str, list[ast.expr]]:
    """Name -> what it is set to where the loss may see it; `loss /= 2` sets it to `loss / 2`."""
    found: dict[str, list[ast.expr]] = {}
    for node in walk(places.function_of(loss, source) or source.tree):
        if not isinstance(node, (ast.Assign, ast.AugAssign)) or places.are_alternatives(node, loss, source):
            continue
        if isinstance(node, ast.Assign):
            for target in (one for given in node.targets for one in getattr(given, "elts", [given])):
                found.setdefault(places.spelled(target), []).append(node.value)
        else:
            whole = ast.BinOp(node.target, node.op, node.value)
            found.setdefault(places.spelled(node.target), []).append(whole)
    return found


def trained_names(loop: ast.AST) -> set[str]:
    """The names whose backward runs in the loop."""
    trained: set[str] = set()
    for call in own(loop):
        receiver, name = method(call)
        if name == "backward":
            scaled = receiver.args if isinstance(receiver, ast.Call) and method(receiver)[1] == "scale" else [receiver]
            trained |= {path(one) for one in scaled} - {""}
    return trained


def weighs_a_loss(read: ast.Assign, loop: ast.AST) -> bool:
    """Whether a loss whose backward runs in the loop is computed, behind `read`, from what it assigns."""
    derived, reached = _targets(read), set[str]()
    for node in own(loop):
        if not isinstance(node, ast.Assign) or node.lineno <= read.lineno:
            continue
        if any(path(child) in derived for child in walk(node.value)):
            derived |= _targets(node)
            reached |= _targets(node)
    return bool(reached & trained_names(loop))


def _targets(node: ast.Assign) -> set[str]:
    return {path(one) for target in node.targets for one in getattr(target, "elts", [target])} - {""}


def reduction(loss: ast.expr, source: Source) -> str:
    """ "mean" or "sum" where every part of the loss that is understood is one; "" where nothing is."""
    found: set[str] = set()
    for value in derivation(loss, source):
        for node in walk(value):
            if isinstance(node, ast.Call):
                found.add(_kind(node, source))
    found.discard("")
    return "sum" if "sum" in found else "mean" if "mean" in found else ""


def _kind(call: ast.Call, source: Source) -> str:
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("mean", "sum"):
        return call.func.attr
    for binding in source.resolve(call.func):
        symbol = binding.symbol
        if not symbol.startswith(_LOSSES) or any(word in symbol for word in _NOT_LOSSES):
            continue
        is_function = binding.form is Form.SYMBOL and symbol.startswith("torch.nn.functional.")
        is_module = binding.form is Form.INSTANCE and symbol.endswith("Loss")
        built = call if is_function else binding.node
        if (is_function or is_module) and isinstance(built, ast.Call):
            named = next((keyword.value for keyword in built.keywords if keyword.arg == "reduction"), None)
            if named is None:
                return "mean"
            return str(named.value) if isinstance(named, ast.Constant) and named.value in ("mean", "sum") else ""
    return ""
