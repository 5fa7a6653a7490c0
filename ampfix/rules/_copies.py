"""What a model is another name for: a wrapper or average of it, a copy of its weights, or what a helper hands back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import unparsed, walk
from ampfix.rules._halfmodels import assigned
from ampfix.rules._models import SELF, alternatives, bare_name, holder_of, named, parted
from ampfix.rules._places import given_for, parameters
from ampfix.rules._shapes import handed_in, method, own, path, placed
from ampfix.rules._swaps import AVERAGE

_FILLS = pattern(
    r"(copy|apply|assign|load|store|transfer)(_?(params?|parameters|weights))?(_?(to|into|shadow))?|ema", re.IGNORECASE
)
_OTHERS = pattern(
    r"teacher|target|frozen|ref|pretrain|base|old|init|source|prior|momentum|\d$", re.IGNORECASE
)  # models of the same class that are no copies
Alias = tuple[str, ast.expr]  # a name, and the expression that it stands in


def aliases(name: str, owner: ast.AST, source: Source) -> list[Alias]:
    """The other names of what a variable is set to."""
    found = dict(wrapped(name, owner, source))
    made = [value for value in map(placed, assigned(name, owner, source)) if isinstance(value, ast.Call)]
    for call in made:
        found |= dict(_handed_back(call, None, source))
    if not found and not made:
        for call, place in unpacked(name, owner, source):
            found |= dict(_handed_back(call, place, source))
    found |= dict(_loaded(name, owner, source))
    if made and not found:
        found |= dict(_filled(name, owner))
    return [(alias, value) for alias, value in found.items() if alias != name]


def wrapped(name: str, owner: ast.AST, source: Source) -> list[Alias]:
    """The variables that a variable is set to or wraps."""
    values = assigned(name, owner, source)
    return [(alias, value) for value in values for alias in alternatives(value) if alias != name]


def unpacked(name: str, owner: ast.AST, source: Source) -> Iterator[tuple[ast.Call, int]]:
    """The calls of which a variable takes one of several results, and which."""
    for node in source.nodes((ast.Assign,)):
        target, value = node.targets[0], node.value  # type: ignore[attr-defined]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Call):
            names = [named(one) for one in target.elts]
            if name in names and holder_of(node, name, source) is owner:
                yield value, names.index(name)


def returned(function: ast.AST, place: int | None) -> Iterator[ast.expr]:
    """What a function returns, or the part of it at some place."""
    for value in (one.value for one in own(function) if isinstance(one, ast.Return)):
        parts = value.elts if isinstance(value, ast.Tuple) else []
        if place is None and value is not None:
            yield value
        elif place is not None and place < len(parts):
            yield parts[place]


def _handed_back(call: ast.Call, place: int | None, source: Source) -> Iterator[Alias]:
    """What a function of this file returns, as it or its caller knows it."""
    if path(call.func)[:1].isupper():
        return
    for function in (one.node for one in source.resolve(call.func) if one.form is Form.FUNCTION):
        for value in returned(function, place):
            for alias in alternatives(value):
                root, rest = parted(alias)
                if root == SELF or root not in parameters(function):
                    yield alias, value
                elif given := named(given_for(root, function, call)):
                    yield f"{given}{rest}", call


def _loaded(name: str, owner: ast.AST, source: Source) -> Iterator[Alias]:
    """The model whose weights a copy is given: `copy.load_state_dict(model.state_dict())`, be they kept before."""
    for call in source.calls_to("load_state_dict"):
        if bare_name(named(method(call)[0])) != name or holder_of(call, name, source) is not owner:
            continue
        for weights in call.args[:1]:
            kept = named(weights)
            values = [weights, *(assigned(kept, holder_of(call, kept, source), source) if kept else ())]
            if kept:
                yield bare_name(kept), weights
            asked = (one for value in values for one in walk(value) if method(one)[1] == "state_dict")
            yield from ((receiver, call) for one in asked if (receiver := named(method(one)[0])))


def _filled(name: str, owner: ast.AST) -> Iterator[Alias]:
    """The average that a fresh model takes its weights from: `ema.copy_to(fresh)`."""
    for call in (one for one in own(owner) if isinstance(one, ast.Call)):
        receiver, called = method(call)
        if _FILLS.fullmatch(called) and AVERAGE.search(path(receiver)):
            given = (
                method(one)[0] if method(one)[1] in ("parameters", "state_dict") else one for one in handed_in(call)
            )
            if name in map(named, given):
                yield named(receiver), receiver


def reloads(name: str, owner: ast.AST, source: Source) -> ast.Call | None:
    """The call that builds a model which loads weights."""
    loads = source.calls_to("load_state_dict")
    loaded = any(path(method(one)[0]) == name and holder_of(one, name, source) is owner for one in loads)
    return built(name, owner, source) if loaded else None


def built(name: str, owner: ast.AST, source: Source) -> ast.Call | None:
    """The call that builds what a name stands for."""
    values = map(placed, assigned(name, owner, source))
    return next((value for value in values if isinstance(value, ast.Call) and path(value.func)), None)


def are_built_alike(one: ast.Call, name: str, other: ast.Call, trained: str) -> bool:
    """Whether one model is another one built again: by the same name from the same class, or from the same text under a
    name that says nothing else."""
    if name == trained:
        return path(one.func) == path(other.func)
    return unparsed(one) == unparsed(other) and _OTHERS.search(name) is None and one.lineno > other.lineno
