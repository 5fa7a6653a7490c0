"""Whether what is accumulated over a window is divided by its length: the losses, or the gradients they add up to."""

from __future__ import annotations

import ast
import re

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._losses import assigned_in_sight, derivation
from ampfix.rules._shapes import handed_in, method, path

# Calls that only count, show or store the length of the window.
_HARMLESS = frozenset(
    {"print", "range", "int", "float", "str", "len", "max", "min", "ceil", "floor", "round", "info", "debug", "log"}
    | {"add_argument", "setattr", "format", "write", "update", "set_description", "set_postfix", "warning", "divmod"}
)

_READS = frozenset({"item", "detach", "get_lr", "get_last_lr"})
_SIZE = pattern(r"batch|token|sample|image|example", re.IGNORECASE)


def is_divided(count: str, loss: ast.expr, source: Source) -> bool:
    """Whether the loss or the gradients are divided by anything, or the count is calculated with or given away."""
    for value in derivation(loss, source):
        for node in walk(value):
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.FloorDiv)):
                return True
            if isinstance(node, ast.Attribute) and node.attr in ("div", "div_", "divide", "true_divide"):
                return True
    if any(_divides_gradients(node) for node in walk(source.tree)):
        return True
    word = count.rpartition(".")[2]
    used = (node for node in walk(source.tree) if _calculates(node, word, source))
    if count.isidentifier():
        used = (node for node in used if not _is_of_a_sister(node, loss, source))
    return any(not (places.are_alternatives(node, loss, source) or _tells_a_size(node, source)) for node in used)


def _is_of_a_sister(node: ast.AST, loss: ast.expr, source: Source) -> bool:
    """Whether a node stands in another function that trains: its window is one of its own."""
    mine, other = places.function_of(loss, source), places.function_of(node, source)
    if mine is None or other is None or isinstance(mine, ast.Lambda) or isinstance(other, ast.Lambda) or mine is other:
        return False
    if mine in source.ancestors(node) or other in source.ancestors(loss):
        return False
    calls = any(_mentions_name(one, function.name) for one, function in ((mine, other), (other, mine)))
    return not calls and any(getattr(inner, "attr", "") == "backward" for inner in walk(other))


def _mentions_name(node: ast.AST, name: str) -> bool:
    return any(name in (getattr(inner, "id", ""), getattr(inner, "attr", "")) for inner in walk(node))


def _tells_a_size(node: ast.AST, source: Source) -> bool:
    """Whether a product only says how much a step sees: it is written out, or named for batches, samples or tokens."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    if any(isinstance(around, ast.JoinedStr) for around in places.within_function(node, source)):
        return True
    statement = places.statement_of(node, source)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(targets) and all(_SIZE.search(places.spelled(one).rpartition(".")[2]) for one in targets)


def _calculates(node: ast.AST, word: str, source: Source) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Mult)):
        if isinstance(node.op, ast.Div) and (_counts_steps(node.left) or _is_a_number(node.left, source)):
            return False
        sides = [node.right] if isinstance(node.op, ast.Div) else [node.left, node.right]
        return any(_mentions(side, word) for side in sides)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Div, ast.Mult)):
        is_of_a_number = isinstance(node.op, ast.Div) and _is_a_number(node.target, source)
        return _mentions(node.value, word) and not is_of_a_number
    if not isinstance(node, ast.Call) or word.isdigit():
        return isinstance(node, ast.Call) and _is_division(node) and any(_mentions(a, word) for a in node.args)
    given = handed_in(node)
    if not any(places.spelled(value).rpartition(".")[2] == word for value in given):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    known = any(b.form in (Form.FUNCTION, Form.CLASS) for b in source.resolve(node.func))
    return name not in _HARMLESS and not known


def _counts_steps(node: ast.expr) -> bool:
    """Whether steps are counted, as for a schedule: `epochs * len(loader)`."""
    return any(isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "len" for inner in walk(node))


def _is_a_number(node: ast.expr, source: Source, seen: frozenset[str] = frozenset()) -> bool:
    """Whether no gradient flows through a value: it was read off a tensor, as for a log, or adds up what was."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.BinOp):
        return all(_is_a_number(side, source, seen) for side in (node.left, node.right))
    if isinstance(node, ast.Call):
        return method(node)[1] in _READS or path(node.func) in ("float", "int", "len")
    name = places.spelled(node)
    values = assigned_in_sight(node, source).get(name, ())
    rest = [value for value in values if not (isinstance(value, ast.BinOp) and places.spelled(value.left) == name)]
    added = [value.right for value in values if isinstance(value, ast.BinOp) and places.spelled(value.left) == name]
    return name not in seen and bool(rest) and all(_is_a_number(one, source, seen | {name}) for one in (*rest, *added))


def is_handed_in(loss: ast.expr, source: Source) -> bool:
    """Whether the loss is a parameter, or the attribute of an object, that callers may have divided."""
    function = places.function_of(loss, source)
    arguments = function.args if function is not None else None
    parameters = (
        {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} if arguments else set()
    )
    values = derivation(loss, source)
    if all(isinstance(one, (ast.Name, ast.Attribute, ast.Subscript)) for one in values):
        return True
    return any(isinstance(one, ast.Name) and one.id in parameters for one in values)


def _divides_gradients(node: ast.AST) -> bool:
    """Whether gradients are multiplied or divided in place: what is accumulated may be normalised by all it counts."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Div, ast.Mult)):
        return isinstance(node.target, ast.Attribute) and node.target.attr == "grad"
    if not isinstance(node, ast.Call) or not _is_division(node) or not isinstance(node.func, ast.Attribute):
        return False
    return isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "grad"


def is_divided_elsewhere(backward: ast.Call, source: Source) -> bool:
    """Whether a function of another file that is called for what it does divides the gradients."""
    function = places.function_of(backward, source)
    done = (one.value for one in walk(function or source.tree) if isinstance(one, ast.Expr))
    called = (to for call in done if isinstance(call, ast.Call) for to in source.called_elsewhere(call))
    return any(_divides_gradients(node) for to in called for node in walk(to.definition))


def _is_division(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("div", "div_", "mul", "mul_", "true_divide")


def _mentions(node: ast.expr, word: str) -> bool:
    if word.isdigit():
        return isinstance(node, ast.Constant) and node.value == int(word)
    return any(word in (getattr(child, "id", ""), getattr(child, "attr", "")) for child in walk(node))
