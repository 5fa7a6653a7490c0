"""Forwards whose result is trained on: pseudo labels, bootstrapped values, inputs that a model makes."""

from __future__ import annotations

import ast
import re

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.tree import unparsed, walk
from ampfix.rules._shapes import backwards, calls_of, function_of, handed_in, method, own, path

_HOPS = 3  # functions that hand the result back
_TRAINS = pattern(r"(\w+_)?(train|learn|fit|optimi[sz]e)(_(one_)?(step|batch|on_batch))?")
_SETS = pattern(r"(set|update|refresh|add|relabel)(_|$)")
_DATA = pattern(r"(^|[._])(dataset|sampler|batch_sampler)\.")
_HELD_OUT = pattern(r"val|test|eval", re.IGNORECASE)
_KEPT = ("append", "extend", "add", "push")
_SCALAR = pattern(r"\.item\(\)|\bfloat\(")


def is_trained_on(call: ast.Call, source: Source, hops: int = 0) -> bool:
    """Whether what a call returns is handed to a function that trains, through variables and callers too."""
    function = function_of(call, source)
    held, is_returned = {call}, False
    names: set[str] = set()

    def reads(node: ast.AST) -> bool:
        return any(one in held or (isinstance(one, ast.Name) and one.id in names) for one in walk(node))

    for node in own(function):
        if isinstance(node, ast.Assign) and reads(node.value) and any(map(_is_kept_for_training, node.targets)):
            return True
        if isinstance(node, ast.Assign) and reads(node.value) and not _SCALAR.search(unparsed(node.value)):
            names |= {one.id for target in node.targets for one in walk(target) if isinstance(one, ast.Name)}
        elif isinstance(node, ast.Call) and node is not call and any(map(reads, handed_in(node))):
            if _is_trainer(node, source) or (_SETS.match(method(node)[1]) and _is_kept_for_training(node.func)):
                return True
            receiver = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr in _KEPT else None
            names |= {receiver.id} if isinstance(receiver, ast.Name) else set()
        elif isinstance(node, ast.Return) and node.value is not None:
            is_returned = is_returned or (reads(node.value) and not _SCALAR.search(unparsed(node.value)))
    if not is_returned or hops == _HOPS:
        return False
    return any(is_trained_on(one, source, hops + 1) for one in calls_of(function, source))


def _is_kept_for_training(target: ast.expr) -> bool:
    """`loader.dataset.negatives`, `sampler.set_weights`: the data that training goes over."""
    text = unparsed(target) if isinstance(target, ast.Attribute) else ""
    return _DATA.search(text) is not None and _HELD_OUT.search(text) is None


def _is_trainer(call: ast.Call, source: Source) -> bool:
    """Whether a call runs a function that trains: one of this file, or one whose name says so."""
    name = path(call.func).rpartition(".")[2]
    if not name or path(call.func) not in (name, f"self.{name}"):
        return False
    functions = (one for one in source.nodes((ast.FunctionDef,)) if getattr(one, "name", "") == name)
    return any(any(True for _ in backwards(one)) for one in functions) or _TRAINS.fullmatch(name) is not None
