"""Casts to a dtype that a flag chooses, half or float32, and the calls they reach in a step of a GradScaler.

A GradScaler refuses half gradients, so the network of such a step holds float32 weights whatever the flag says.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, HalfCast, Role, Source
from ampfix.rules._shapes import function_of, method

CHOICE_SPELLINGS: tuple[str, ...] = tuple(
    spelling for name in ("float16", "half", "bfloat16") for spelling in (f"torch.{name} if", f"else torch.{name}")
)
"""How a choice of a half is written; for the test on words that keeps most files unparsed."""

_HALVES = {"torch.float16": "float16", "torch.half": "float16", "torch.bfloat16": "bfloat16"}
_FULL = {"torch.float32", "torch.float"}
_HANDED_ON = 3  # calls that take the tensor and give it back under its own name


def chosen_casts(source: Source) -> Iterator[HalfCast]:
    """`x.to(dtype)` where dtype holds a half or float32, in functions that scale a loss."""
    scaling = {
        function_of(call, source)
        for call in source.nodes((ast.Call,))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "scale"
        and source.held(call.func.value).role is Role.SCALER
    }
    if not scaling:
        return
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        if method(call)[1] in ("to", "type") and function_of(call, source) in scaling:
            dtype = next((found for value in _dtypes(call) if (found := _chosen(value, source))), "")
            if dtype and isinstance(call.func, ast.Attribute):
                yield HalfCast(call, call.func.value, dtype)


def _dtypes(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args[:2]
    yield from (keyword.value for keyword in call.keywords if keyword.arg in ("dtype", "dst_type"))


def _chosen(value: ast.expr, source: Source) -> str:
    """The half of a choice between it and float32; empty for anything else."""
    if not isinstance(value, (ast.Name, ast.Attribute)):
        return ""
    bindings = source.resolve(value)
    symbols = {binding.symbol if binding.form is Form.SYMBOL else "" for binding in bindings}
    halves = symbols & _HALVES.keys()
    return _HALVES[halves.pop()] if len(halves) == 1 and symbols - _FULL == halves and symbols & _FULL else ""


def calls_reached(name: str, assign: ast.stmt, source: Source) -> Iterator[ast.Call]:
    """Calls that get the value which an assignment gives a name, also when a call hands it back under that name."""
    function = function_of(assign, source)
    stores = sorted(
        (node for node in source.nodes((ast.Assign,)) if isinstance(node, ast.Assign) and name in _targets(node)),
        key=lambda node: node.lineno,
    )
    stores = [node for node in stores if function_of(node, source) is function and node.lineno > assign.lineno]
    limit = next((node.lineno for node in stores if not _hands_back(name, node)), None)
    if len(stores) > _HANDED_ON:
        return
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        behind = call.lineno > assign.lineno and (limit is None or call.lineno <= limit)
        if behind and _takes(name, call) and function_of(call, source) is function:
            yield call


def _targets(node: ast.Assign) -> set[str]:
    return {one.id for target in node.targets for one in getattr(target, "elts", [target]) if isinstance(one, ast.Name)}


def _hands_back(name: str, node: ast.Assign) -> bool:
    return isinstance(node.value, ast.Call) and _takes(name, node.value) and method(node.value)[1] not in ("to", "type")


def _takes(name: str, call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Name) and argument.id == name for argument in call.args)
