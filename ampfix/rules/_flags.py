"""Whether the switches of a scaler and a region may differ: what each hangs on, through names, settings and calls."""

from __future__ import annotations

import ast

from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules import _switches as switches

_OBJECTS = ("self", "args", "cfg", "config", "opt", "torch")


def is_handed_on(switch: ast.expr, value: bool, source: Source) -> bool:
    """Whether a switch is a True, or a False, that a helper hands back on every path: nobody edits that one alone."""
    return source.truth(switch) is value and not any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and places.spelled(switch) in map(places.spelled, node.targets)
        for node in source.nodes((ast.Assign,))
    )


def besides_the_device(enabled: ast.expr, source: Source) -> ast.expr | None:
    """What a switch hangs on besides the device; None where that is all, or nobody can tell them apart."""
    for value in switches.values(enabled, source):
        parts = value.values if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And) else [value]
        about = [switches.speaks_of_device(" ".join(switches.spellings(part, source))) for part in parts]
        if not any(about):
            return enabled if value is enabled else value
        if not all(about):
            return next(part for part, is_device in zip(parts, about, strict=True) if not is_device)
    return None


def _ends(switch: ast.expr, source: Source) -> list[ast.expr]:
    """What the names of a switch stand for; the switch itself where it has none."""
    names = (node for node in walk(switch) if isinstance(node, ast.Name) and node.id not in _OBJECTS)
    return [end for name in names for end in source.given(name)] or [switch]


def is_left_to_callers(one: ast.expr, other: ast.expr, source: Source) -> bool:
    """Whether a switch is a parameter of another function than the other's, which code of other files may call with
    the same flag. A constructor is handed all that its object needs."""
    ends = [end for switch in (one, other) for end in _ends(switch, source)]
    functions = {places.function_of(end, source) for end in ends}
    return len(functions) > 1 and any(
        held.form is Form.PARAMETER and held.scope.label != "__init__"
        for end in ends
        if isinstance(end, ast.Name)
        for held in source.resolve(end)
    )


def named_flags(test: ast.expr, source: Source) -> set[str]:
    """What a setting is called: `args.amp` and `args.get("amp")` go by their last word, wherever args is from."""
    if isinstance(test, ast.Attribute) and places.spelled(test.value) != "self":
        return {test.attr}
    if isinstance(test, ast.Call):
        return {one.value for one in test.args if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return _words(test, source)


def is_kept_as(one: ast.expr, other: ast.expr | None, source: Source) -> bool:
    """Whether the one switch is what the other is set to: `self.amp = amp`."""
    return (
        other is not None
        and isinstance(one, ast.Name)
        and one.id in map(places.spelled, switches.values(other, source))
    )


def related(one: ast.expr, other: ast.expr, source: Source) -> bool:
    """Whether the switches share a name, at first sight or where their names are set, or are set side by side."""
    if any(".is_enabled()" in text for text in switches.spellings(other, source)):
        return True  # the scaler itself is asked
    return bool(_words(one, source) & _words(other, source)) or switches.set_together(one, other, source)


def _words(test: ast.expr, source: Source) -> set[str]:
    """The names that a switch hangs on; of calls only what they are handed, as `config.get("amp")` is "amp"."""
    found: set[str] = set()
    for text in switches.spellings(test, source):
        nodes = walk(ast.parse(text, mode="eval"))
        called = {node.func for node in nodes if isinstance(node, ast.Call) and (node.args or node.keywords)}
        for node in nodes:
            if node in called:
                continue
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Name) and node.id not in _OBJECTS:
                found.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found
