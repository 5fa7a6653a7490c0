"""Forwards on made-up data: warm-ups, looks at shapes, clocks and graphs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules._places import given_for, parameters
from ampfix.rules._shapes import calls_of, function_of, handed_in, method, own, path

_BLANKS = ("torch.zeros", "torch.ones", "torch.empty")
_NOISE = ("torch.randn", "torch.rand", "torch.randn_like")
_RANDOM = ("torch.rand", "torch.randn", "torch.randint", "torch.rand_like", "torch.randn_like")
_DUMMY = pattern(r"dummy|probe|mock|(example|sample|fake|test)_input", re.IGNORECASE)
_PLACING = ("to", "cuda", "float", "long", "clone", "contiguous", "requires_grad_", "unsqueeze", "repeat", "expand")
_MAKES = pattern(r"synth|rand|dummy|fake|mock|toy|noise|make|generate|create|gen_", re.IGNORECASE)
_SAMPLES = ("generate", "sample")
_HOPS = 3  # variables that only stand for another
_MEASURES = ("shape", "size", "dim", "ndim", "numel", "dtype", "device", "keys")


def is_a_trial(call: ast.Call, function: ast.AST, source: Source) -> bool:
    """Whether a model runs on made-up data alone, to see the shape of what comes out, or for nothing that comes out."""
    given = handed_in(call)
    if given and _DUMMY.search(path(given[0])):
        return True
    data = [one.value if isinstance(one, ast.Starred) else one for one in given if not isinstance(one, ast.Constant)]
    sets = {one: _made_of(one, function, source) for one in data}
    if not data:
        return False
    if all(_is_made_by_helper(one, function, source) for one in data):
        return True
    if all(_is_blank(value, fixed=value is not one) for one, values in sets.items() for value in values):
        return not (draws(call) or _trains_on_noise(source)) or _is_only_measured(call, function)
    return all(_is_made_up(value) for values in sets.values() for value in values) and _is_only_measured(call, function)


def draws(call: ast.Call) -> bool:
    """Whether a call makes samples, of a start token or of noise: `model.generate(start, 100)`."""
    return method(call)[1] in _SAMPLES


def _is_made_by_helper(data: ast.expr, function: ast.AST, source: Source) -> bool:
    """Whether a variable holds what a helper makes up: `x, y = synthetic_batch(8)`."""
    name = path(_unplaced(data))
    made = [one for one in own(function) if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call)]
    sets = [one.value for one in made if name in (each.id for target in one.targets for each in _names(target))]
    return bool(sets) and all(_makes_up(one, function, source) for one in sets)


def _makes_up(call: ast.expr, function: ast.AST, source: Source) -> bool:
    """Whether a call, made in a function, runs one that returns random tensors alone."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not _MAKES.search(call.func.id):
        return False
    run = [one.definition for one in source.called_in(function, call)]
    parts = [(part, one) for one in run for returned in _returned(one) for part in returned]
    return bool(parts) and all(_is_random(part, one) for part, one in parts)


def _returned(function: ast.AST) -> Iterator[list[ast.expr]]:
    for one in own(function):
        if isinstance(one, ast.Return) and one.value is not None:
            yield one.value.elts if isinstance(one.value, ast.Tuple) else [one.value]


def _is_random(value: ast.expr, function: ast.AST) -> bool:
    """Whether an expression of a function is random, be it a variable that is set to nothing else."""
    name = path(_unplaced(value))
    sets = [
        one.value for one in own(function) if isinstance(one, ast.Assign) and name and name in map(path, one.targets)
    ]
    return all(map(_is_made_up, sets)) if sets else _is_made_up(value)


def _trains_on_noise(source: Source) -> bool:
    """Whether a region of the file runs something on noise, as a generator is trained."""
    for region in source.regions:
        function = function_of(region.node, source)
        for call in walk(region.node):
            given = [one for one in getattr(call, "args", ()) if not isinstance(one, ast.Constant)]
            values = [value for one in given for value in _made_of(one, function, source) if not path(value)]
            if isinstance(call, ast.Call) and values and not method(call)[1] and all(map(_is_noise, values)):
                return True
    return False


def _is_noise(value: ast.expr) -> bool:
    value = _unplaced(value)
    return isinstance(value, ast.Call) and path(value.func) in _NOISE


def _made_of(data: ast.expr, function: ast.AST, source: Source, hops: int = 0) -> list[ast.expr]:
    """What a variable is set to in the end, but for itself on another device, by this function and by its callers in
    the file where it is a parameter; an expression as it is."""
    name = path(_unplaced(data))
    if not name or hops > _HOPS:
        return [data]
    sets = [(n.value, function) for n in own(function) if isinstance(n, ast.Assign) and name in map(path, n.targets)]
    sets = [one for one in sets if path(_unplaced(one[0])) != name] or list(_handed_in(name, function, source))
    return [value for one, there in sets for value in _made_of(one, there, source, hops + 1)] or [data]


def _handed_in(name: str, function: ast.AST, source: Source) -> Iterator[tuple[ast.expr, ast.AST]]:
    """What the calls in the file hand in for a parameter, each with the function that does."""
    for call in calls_of(function, source) if name in parameters(function) else ():
        value = given_for(name, function, call)
        if value is not None:
            yield value, function_of(call, source)


def _unplaced(value: ast.expr) -> ast.expr:
    while isinstance(value, ast.Call) and method(value)[1] in _PLACING:
        value = method(value)[0]
    return value


def _is_blank(value: ast.expr, *, fixed: bool = False) -> bool:
    """`torch.zeros(...)`, and `torch.randn(...)` for a batch of one or where it is handed on as it is."""
    value = _unplaced(value)
    if not isinstance(value, ast.Call):
        return False
    is_one = bool(value.args) and isinstance(value.args[0], ast.Constant) and value.args[0].value == 1
    return path(value.func) in (_BLANKS if fixed and not is_one else (*_BLANKS, "torch.rand", "torch.randn"))


def _is_made_up(value: ast.expr) -> bool:
    """Whether data is random, alone or in a tuple or dictionary."""
    value = _unplaced(value)
    if isinstance(value, (ast.Tuple, ast.List)):
        return bool(value.elts) and all(map(_is_made_up, value.elts))
    if isinstance(value, ast.Dict):
        return bool(value.values) and all(map(_is_made_up, value.values))
    return isinstance(value, ast.Call) and path(value.func) in (*_BLANKS, *_RANDOM)


def _is_only_measured(call: ast.Call, function: ast.AST) -> bool:
    """Whether nothing of what a call returns is read but its shape and the like."""
    if any(isinstance(n, ast.Attribute) and n.attr in _MEASURES and n.value is call for n in own(function)):
        return True
    holders = [n for n in own(function) if isinstance(n, (ast.Expr, ast.Assign)) and n.value is call]
    if not holders:
        return False
    names = {one.id for holder in holders for t in getattr(holder, "targets", ()) for one in _names(t)}
    reads = [one for one in _names(function) if one.id in names and isinstance(one.ctx, ast.Load)]
    measured = (n.value for n in own(function) if isinstance(n, ast.Attribute) and n.attr in _MEASURES)
    known = {one for value in measured for one in _names(value)}
    return all(one in known for one in reads)


def _names(node: ast.AST) -> list[ast.Name]:
    return [one for one in walk(node) if isinstance(one, ast.Name)]
