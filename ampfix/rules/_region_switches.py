"""What switches a region of a function on: its parameters, and what calls hand in for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from ampfix.program import CalledElsewhere, CoveredRegion
from ampfix.program.tree import TreeIndex, walk
from ampfix.rules._places import default_of, given_for
from ampfix.rules._shapes import own, path


def off_parameters(call: ast.Call, function: ast.AST, outer: Set[str] = frozenset()) -> frozenset[str]:
    """The parameters for which a call hands in None or False, or leaves it at that. outer: those of the caller that
    are off themselves."""
    if not shows_all(call):
        return frozenset()
    handed = {one.arg: given(call, one.arg, function) for one in parameters_of(function)}
    off = {name for name, value in handed.items() if is_off(value) or _needs_any(value, outer)}
    same = {name for name in outer if name.startswith("self.") and path(call.func).startswith("self.")}
    return frozenset(off | same)


def _needs_any(value: ast.expr | None, names: Set[str]) -> bool:
    """Whether what is handed in is true only if one of these variables is."""
    return value is not None and any(path(one) in names for one in operands(value))


def off_locals(function: ast.AST, off: Set[str]) -> frozenset[str]:
    """The parameters that are off, and the variables that are true only if one of them is something."""
    sets = [one for one in own(function) if isinstance(one, ast.Assign)]
    switched = (one for one in sets if any(name in off for name in presences(one.value)))
    return frozenset(off) | {path(target) for one in switched for target in one.targets} - {""}


def off_attributes(to: CalledElsewhere) -> frozenset[str]:
    """The attributes of the object whose method is called that its constructor sets to None or False."""
    constructor = constructor_of(to)
    if constructor is None or to.built is None:
        return frozenset()
    return kept_off(constructor, off_parameters(to.built, constructor))


def constructor_of(to: CalledElsewhere) -> ast.AST | None:
    """What sets up the object whose method is called, where the call that makes that is seen."""
    tree: TreeIndex | None = getattr(to.definition, "ampfix_tree", None)
    methods = getattr(tree.parents.get(to.definition), "body", ()) if tree is not None and to.built is not None else ()
    return next((one for one in methods if getattr(one, "name", "") == "__init__"), None)


def kept_off(constructor: ast.AST, off: Set[str]) -> frozenset[str]:
    """The attributes that a constructor sets to None or False where some of its parameters are that."""
    sets = [one for one in own(constructor) if isinstance(one, ast.Assign)]
    switched = (one for one in sets if any(path(each) in off for each in operands(one.value)))
    return frozenset(path(target) for one in switched for target in one.targets)


def switched_off_by(region: CoveredRegion, function: ast.AST, off: Set[str]) -> str:
    """Which of some parameters that are off keeps a region of a function from acting; empty for none."""
    tests = [one for one in own(function) if isinstance(one, ast.If) and region.node in walk(one)]
    entered = (one.test for one in tests if any(region.node in walk(part) for part in one.body))
    found = (name for switch in (*switches(region, function), *entered) for name in presences(switch))
    return next((name for name in found if name in off), "")


def switches(region: CoveredRegion, function: ast.AST) -> Iterator[ast.expr]:
    """The tests that turn a region on: what it is handed as enabled, and what chooses between it and no region."""
    for opening in set_to(region.opening, function):
        if isinstance(opening, ast.IfExp) and path(getattr(opening.orelse, "func", None)).endswith("nullcontext"):
            yield from set_to(opening.test, function)
            opening = opening.body
        words = opening.keywords if isinstance(opening, ast.Call) else []
        for enabled in (word.value for word in words if word.arg == "enabled"):
            yield from set_to(enabled, function)


def set_to(value: ast.expr, function: ast.AST) -> list[ast.expr]:
    """What a variable of a function is set to, the variable itself where that is nothing; none of several."""
    if not isinstance(value, ast.Name):
        return [value]
    sets = [
        one.value
        for one in walk(function)
        if isinstance(one, ast.Assign) and any(path(target) == value.id for target in one.targets)
    ]
    return sets[:1] if len(sets) == 1 else [] if sets else [value]


def operands(switch: ast.expr) -> list[ast.expr]:
    """What must all hold for a test to."""
    return switch.values if isinstance(switch, ast.BoolOp) and isinstance(switch.op, ast.And) else [switch]


def presences(switch: ast.expr) -> Iterator[str]:
    """The variables that must be true, or not None, for a test to hold."""
    for one in operands(switch):
        if isinstance(one, ast.IfExp) and is_off(one.orelse):
            yield from presences(one.test)
        if isinstance(one, ast.Compare) and isinstance(one.ops[0], ast.IsNot):
            is_none = isinstance(one.comparators[0], ast.Constant) and one.comparators[0].value is None
            one = one.left if is_none else one
        if path(one):
            yield path(one)


def parameters_of(function: ast.AST) -> list[ast.arg]:
    arguments = getattr(function, "args", None)
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments is not None else []


def shows_all(call: ast.Call) -> bool:
    """Whether a call shows all that it hands in."""
    return not any(isinstance(one, ast.Starred) for one in call.args) and all(word.arg for word in call.keywords)


def given(call: ast.Call, name: str, function: ast.AST) -> ast.expr | None:
    """What a call hands in for a parameter, its default included."""
    handed = given_for(name, function, call)
    return handed if handed is not None else default_of(name, function)


def is_off(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value in (None, False)
