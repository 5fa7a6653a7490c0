"""Functions of other files that store or restore the optimizer which they are handed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from ampfix.program import CalledElsewhere, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places

_OF_SCALERS = re.compile(r"scaler|\bamp\b", re.IGNORECASE)
_WRITES = re.compile(r"save|dump|write", re.IGNORECASE)


@dataclass(frozen=True)
class Handed:
    """An optimizer that a call hands to a function of another file. verb: what happens to its state there."""

    call: ast.Call
    owner: str
    verb: str
    to: CalledElsewhere


def handed_on(source: Source, stepped: Set[str]) -> Iterator[Handed]:
    """The calls that leave a scaler behind. stepped: what scalers step, by the last part of its name."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        given = {id(one): last for one in _given(call) if (last := _last(one)) in stepped}
        if not given or _OF_SCALERS.search(ast.unparse(call)):
            continue
        for to in source.called_elsewhere(call):
            if _OF_SCALERS.search(ast.unparse(to.definition)):
                continue
            for parameter, value in to.arguments.items():
                verb = _done_with(parameter, to.definition) if id(value) in given else ""
                if verb:
                    yield Handed(call, places.spelled(value), verb, to)


def _given(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)


def _last(node: ast.expr) -> str:
    return places.spelled(node).rpartition(".")[2] if isinstance(node, (ast.Name, ast.Attribute)) else ""


def _done_with(parameter: str, function: ast.AST) -> str:
    """ "saved" or "restored", where the function does that to the state of a parameter; else empty."""
    if any(places.receiver(call) == parameter for call in places.methods_called(function, "load_state_dict")):
        return "restored"
    states = [call for call in places.methods_called(function, "state_dict") if places.receiver(call) == parameter]
    writes = any(isinstance(node, ast.Call) and _WRITES.search(_name(node)) for node in walk(function))
    return "saved" if states and writes else ""


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
