"""What is wrong with the arguments of an autocast region, and where each belongs."""

from __future__ import annotations

import ast

from ampfix.findings import Applicability, Repair
from ampfix.program import Role, Source
from ampfix.program.spelling import last_name
from ampfix.protocol import EventKind
from ampfix.rules._arguments import REGION, Given, Kind, Laid, dtype_named, lay_out

_WRONG = {
    "device_type": (Kind.FLAG, Kind.DTYPE, Kind.DEVICE, Kind.GUESS),
    "dtype": (Kind.FLAG, Kind.TEXT),
    "enabled": (Kind.TEXT, Kind.DTYPE, Kind.DEVICE, Kind.NAMED_DEVICE),
}


def why_wrong(argument: Given, order: tuple[str, ...]) -> str:
    """Why an argument does not fit its parameter; empty if it may."""
    if argument.parameter == "device_type" and order != REGION:
        return "torch.cuda.amp.autocast takes no device"
    if argument.kind in _WRONG.get(argument.parameter, ()):
        return f"{argument.parameter} is {argument.kind.value}"
    return ""


def repaired(
    call: ast.Call, arguments: list[Given], order: tuple[str, ...], proven: bool, source: Source
) -> Repair | str:
    """The call with every argument where it belongs, or why nobody can say where that is."""
    made: list[Laid] = []
    taken: set[str] = set()
    for argument in arguments:
        laid = _laid(argument, order, len(call.args), source)
        if isinstance(laid, str):
            return laid
        if laid is not None:
            parameter = laid.keyword or argument.parameter
            if parameter in taken:
                return f"two arguments would be {parameter}; keep one of them"
            taken.add(parameter)
            made.append(laid)
    if order == REGION and "device_type" not in taken:
        made.insert(0, Laid(text='"cuda"'))
    made.sort(key=lambda laid: bool(laid.keyword))
    how = Applicability.SAFE if proven else Applicability.UNSAFE
    return lay_out(source.span(call), made, "Give autocast its arguments by name", how)


def _laid(argument: Given, order: tuple[str, ...], positional: int, source: Source) -> Laid | str | None:
    """Where an argument goes; None where it is dropped, a text where nobody can say."""
    if not why_wrong(argument, order):
        is_device = argument.parameter == "device_type"
        return Laid(argument.place, "" if is_device and argument.place < positional else argument.parameter)
    if argument.parameter == "enabled" and argument.kind in (Kind.DEVICE, Kind.NAMED_DEVICE):
        return None  # torch.cuda.amp.autocast knows its device
    if argument.kind in (Kind.FLAG, Kind.GUESS):
        return Laid(argument.place, "enabled")
    if argument.kind is Kind.DTYPE:
        return Laid(argument.place, "dtype")
    if argument.kind is Kind.DEVICE:
        keyword = "" if argument.place < positional else "device_type"
        return Laid(None, keyword, f"{source.segment(argument.value)}.type")
    text = getattr(argument.value, "value", None)
    if isinstance(text, str):
        dtype = dtype_named(text)
        if argument.parameter == "dtype" or dtype:
            return Laid(None, "dtype", f"torch.{dtype}") if dtype else f'"{text}" is no dtype'
        return None  # the device, which torch.cuda.amp.autocast knows by itself
    return "what the argument shall be is not known here"


def loss_scaled_without_region(call: ast.Call, arguments: list[Given], source: Source) -> bool:
    """Whether `call` opens a region that is switched off by a literal, as all of the file are, and computes a scaled
    loss."""
    enabled = next((a.value for a in arguments if a.parameter == "enabled"), None)
    region = next((a for a in source.ancestors(call) if isinstance(a, (ast.With, ast.AsyncWith))), None)
    if not isinstance(enabled, ast.Constant) or enabled.value is not False or region is None:
        return False
    if all(call is not _entered(item.context_expr) for item in region.items) or ".float()" in ast.unparse(region):
        return False
    others = (opened for opened in source.autocasts if opened.node is not call)
    if any(not isinstance(one.enabled, ast.Constant) or one.enabled.value is not False for one in others):
        return False
    assigned = {n.id for n in ast.walk(region) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    function = next(
        a for a in source.ancestors(call) if isinstance(a, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module))
    )
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    wrapped = _scaled_inside(source) if not source.scalers else frozenset()
    return any(_scales(node, assigned, source) for node in calls) or any(
        isinstance(argument, ast.Name) and argument.id in assigned
        for node in calls
        if node in wrapped
        for argument in node.args
    )


def _entered(item: ast.expr) -> ast.expr:
    """What a `with` opens, if it opens anything: the region of `autocast(...) if use_amp else nullcontext()`."""
    if not isinstance(item, ast.IfExp):
        return item
    opened = [one for one in (item.body, item.orelse) if not _opens_none(one)]
    return opened[0] if len(opened) == 1 else item


def _opens_none(item: ast.expr) -> bool:
    return isinstance(item, ast.Call) and last_name(item.func) == "nullcontext"


def _scaled_inside(source: Source) -> frozenset[ast.AST | None]:
    """The calls in which code of another file scales a loss, with a scaler that nothing may switch off."""
    return frozenset(
        source.call_at(do.site.span)
        for routine in source.routines
        for do in routine.events
        if do.event.kind is EventKind.SCALE and do.event.path and do.event.scaler not in routine.unclear
    )


def _scales(node: ast.Call, names: set[str], source: Source) -> bool:
    """`scaler.scale(name)` with a scaler that is not switched off."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "scale":
        return False
    if not node.args or not isinstance(node.args[0], ast.Name) or node.args[0].id not in names:
        return False
    switched = [built.arguments is None or "enabled" in built.arguments for built in source.scalers]
    return source.held(node.func.value).role is Role.SCALER and bool(switched) and not any(switched)
