"""Lets the hardware choose the half: bfloat16 where it has it, float16 with a scaler where it has not.

Span: the float16 autocast region, or something inside it. Optional argument `floor`: the oldest torch release the
project supports. The dtype is chosen once, where the region's dtype was named or in front of the scaler or loop. The
check must not count emulation: before compute capability 8.0 torch emulates bfloat16, slowly, and
`is_bf16_supported()` alone answers True.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import dotted, global_name
from ampfix.codemods.changes import Before, Change, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair

_HALF = ("float16", "half")
_DTYPE_PLACE = 1  # of torch.autocast(device_type, dtype, ...) and of torch.cuda.amp.autocast(enabled, dtype, ...)


def plan(tree: Tree, repair: Repair) -> list[Change]:
    torch = global_name(tree, "torch")
    if torch is None:
        raise CannotRepair("torch is not imported at module level; import it, so that the hardware can be asked")
    picked = choice(torch, repair.arguments.get("floor", ""))
    region = _region_call(tree, repair)
    scaler = _scaler_call(tree, region)
    named = _named_dtype(tree, region)
    if named is not None:
        name = tree.code(named.targets[0].target)
        changes: list[Change] = [replace_by(named.value, picked)]
        if scaler is not None and tree.start(scaler) < tree.start(named):
            raise CannotRepair(f"the scaler is built before {name} is known; build it behind that line")
    else:
        anchor = _anchor(tree, region, scaler)
        name = _dtype_name(tree, region, scaler)
        changes = [Before(anchor, f"{name} = {picked}")]
        changes += [_with_dtype(call, name) for call in _half_regions(tree, region)]
    if scaler is not None:
        changes.append(_enabled_for_half(tree, scaler, f"{name} == {torch}.float16"))
    return changes


def choice(torch: str, floor: str) -> str:
    """bfloat16 where the hardware has it, else float16, as an expression."""
    # is_bf16_supported learnt `including_emulation` in torch 2.5
    old = bool(floor) and tuple(map(int, floor.split(".")[:2])) < (2, 5)
    native = (
        f"{torch}.cuda.is_available() and {torch}.cuda.get_device_capability() >= (8, 0)"
        if old
        else f"{torch}.cuda.is_bf16_supported(including_emulation=False)"
    )
    return f"{torch}.bfloat16 if {native} else {torch}.float16"


def _region_call(tree: Tree, repair: Repair) -> cst.Call:
    node = tree.at(repair.span)
    for candidate in (node, *tree.ancestors(node)):
        if isinstance(candidate, cst.Call) and _is_autocast(candidate):
            return candidate
        if isinstance(candidate, cst.With):
            calls = [item.item for item in candidate.items if isinstance(item.item, cst.Call)]
            found = next((call for call in calls if _is_autocast(call)), None)
            if found is not None:
                return found
    raise CannotRepair("the autocast region is not opened around this place")


def _is_autocast(call: cst.Call) -> bool:
    return dotted(call.func)[-1:] == ["autocast"]


def _half_regions(tree: Tree, region: cst.Call) -> Iterator[cst.Call]:
    """The regions of the same function that run in float16: all of them, since one step must not mix two halves."""
    function = tree.function(region)
    for call in tree.find(function.body if isinstance(function, cst.FunctionDef) else function, cst.Call):
        dtype = _dtype_argument(call)
        if _is_autocast(call) and (dtype is None or _is_half(dtype.value)) and not _is_elsewhere(call):
            if any(argument.star for argument in call.args):
                raise CannotRepair("arguments are unpacked into autocast(...), so its dtype is not known here")
            yield call


def _dtype_argument(call: cst.Call) -> cst.Arg | None:
    named = next((a for a in call.args if a.keyword is not None and a.keyword.value == "dtype"), None)
    if named is None and len(call.args) > _DTYPE_PLACE and call.args[_DTYPE_PLACE].keyword is None:
        return call.args[_DTYPE_PLACE]
    return named


def _is_half(value: cst.BaseExpression) -> bool:
    parts = dotted(value)
    return parts == ["float16"] or (len(parts) > 1 and parts[-1] in _HALF)


def _named_dtype(tree: Tree, region: cst.Call) -> cst.Assign | None:
    """`name = torch.float16`, where the region reads its dtype from a name that is assigned once."""
    argument = _dtype_argument(region)
    if argument is None or _is_half(argument.value):
        return None
    name = tree.code(argument.value)
    assigns = [
        node
        for node in tree.walk(tree.module)
        if isinstance(node, cst.Assign) and any(tree.code(target.target) == name for target in node.targets)
    ]
    if len(assigns) != 1 or not _is_half(assigns[0].value):
        raise CannotRepair(f"the region's dtype {name} is not simply torch.float16")
    return assigns[0]


def _is_elsewhere(call: cst.Call) -> bool:
    """Switched off, or a region of the CPU."""
    first = call.args[0].value if call.args else None
    if isinstance(first, cst.SimpleString) and first.evaluated_value != "cuda":
        return True
    return any(
        argument.keyword is not None
        and argument.keyword.value == "enabled"
        and isinstance(argument.value, cst.Name)
        and argument.value.value == "False"
        for argument in call.args
    )


def _scaler_call(tree: Tree, region: cst.Call) -> cst.Call | None:
    """The construction of the only scaler in the file."""
    calls = [node for node in tree.walk(tree.module) if isinstance(node, cst.Call)]
    scalers = [call for call in calls if dotted(call.func)[-1:] == ["GradScaler"]]
    if len(scalers) > 1:
        raise CannotRepair("the file builds several scalers; which one serves this region is not known")
    if scalers and tree.start(scalers[0]) > tree.start(region) and tree.function(scalers[0]) is tree.function(region):
        raise CannotRepair("the scaler is built behind the region; build it in front of the loop")
    return scalers[0] if scalers else None


def _anchor(tree: Tree, region: cst.Call, scaler: cst.Call | None) -> Statement:
    """Where the dtype is chosen: in front of the scaler, else of the outermost loop around the region."""
    if scaler is not None:
        statement = tree.statement(scaler)
        outer = list(tree.enclosing(statement, cst.BaseCompoundStatement))
        return outer[-1] if outer else statement
    loops = list(tree.enclosing(region, LOOPS))
    if not loops:
        raise CannotRepair(
            "neither a scaler nor a loop stands in this function; choose the dtype where both can see it"
        )
    return loops[-1]


def _dtype_name(tree: Tree, region: cst.Call, scaler: cst.Call | None) -> str:
    """An attribute where the scaler is one, since the two must be seen together."""
    name = tree.fresh_name("amp_dtype")
    if scaler is None:
        return name
    holder = next((node for node in tree.ancestors(scaler) if isinstance(node, cst.Assign)), None)
    if holder is not None and tree.code(holder.targets[0].target).startswith("self."):
        return f"self.{name}"
    if tree.function(scaler) not in (tree.function(region), tree.module):
        raise CannotRepair("the scaler is built in another function; choose the dtype where both can see it")
    return name


def _with_dtype(call: cst.Call, value: str) -> Replace:
    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        return _set(updated, _dtype_argument(updated), "dtype", value)

    return Replace(call, build, f"dtype={value}")


def _enabled_for_half(tree: Tree, scaler: cst.Call, condition: str) -> Replace:
    def enabled(call: cst.Call) -> cst.Arg | None:
        return next((a for a in call.args if a.keyword is not None and a.keyword.value == "enabled"), None)

    old = enabled(scaler)
    if old is not None and tree.code(old.value) != "True":
        source = tree.code(old.value)
        condition = f"{source if dotted(old.value) else f'({source})'} and {condition}"

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        return _set(updated, enabled(updated), "enabled", condition)

    return Replace(scaler, build, condition)


def _set(call: cst.Call, old: cst.Arg | None, keyword: str, value: str) -> cst.Call:
    """The call with an argument's value exchanged, or with the keyword added."""
    expression = cst.parse_expression(value)
    if old is not None:
        return call.with_changes(args=[a.with_changes(value=expression) if a is old else a for a in call.args])
    plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return call.with_changes(args=[*call.args, cst.Arg(expression, keyword=cst.Name(keyword), equal=plain)])
