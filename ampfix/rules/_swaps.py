"""Weights that are swapped between two forwards: an average of them for the weights in training, or a checkpoint."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.records import dataclass
from ampfix.rules._places import are_alternatives, spelled
from ampfix.rules._shapes import looks_like_a_model, method, own, path

_SWAPS = pattern(r"(apply|copy|swap|store|load)_?(shadow|to|in|parameters|params|weights|ema|average\w*)$|swap$")
_APPLIES = frozenset({"apply", "restore", "average_parameters"})
AVERAGE = pattern(r"ema|shadow|average|avg|swa", re.IGNORECASE)  # of the weights of a model


@dataclass(frozen=True)
class Swap:
    """The call that swaps. named: it says whose weights, so that this is no guess."""

    call: ast.Call
    named: bool


def swaps_between_forwards(holder: ast.With | ast.AsyncWith, source: Source) -> Iterator[Swap]:
    """The swaps in a block after which a model runs on copies of other weights than it has."""
    calls = sorted(_calls(holder), key=lambda call: (call.lineno, call.col_offset))
    swaps = {call: _swapped(call, calls) for call in calls}
    for model in sorted({model for models in swaps.values() for model in models}):
        yield from _stale(model, calls, swaps, source)


def _stale(model: str, calls: list[ast.Call], swaps: dict[ast.Call, set[str]], source: Source) -> Iterator[Swap]:
    """Follow one model: which of its weights, counted from the first, it has, and which were cast."""
    held, cast, last = 0, None, None
    for call in calls:
        if model in swaps[call]:
            held, last = 0 if method(call)[1] == "restore" else held + 1, call
        elif method(call)[1] == "clear_autocast_cache":
            cast = None
        elif path(call.func) in (model, f"{model}.forward"):
            cast = held if cast is None else cast
            if last is not None and cast != held and not are_alternatives(last, call, source):
                yield Swap(last, model in _named(last))
                last = None


def _calls(holder: ast.AST) -> Iterator[ast.Call]:
    return (node for node in own(holder) if isinstance(node, ast.Call))


def _swapped(call: ast.Call, calls: list[ast.Call]) -> set[str]:
    """The models whose weights a call changes; of an average that keeps its model to itself, the one that runs."""
    receiver, name = method(call)
    if name == "load_state_dict":
        return {path(receiver)} - {""}
    is_average = AVERAGE.search(spelled(receiver)) is not None if name else False
    if not is_average or not (name in _APPLIES or _SWAPS.search(name)):
        return set()
    running = {path(one.func) for one in calls if looks_like_a_model(path(one.func))}
    return _named(call) or (running if len(running) == 1 and not call.args else set())


def _named(call: ast.Call) -> set[str]:
    """The models that a call names: `model`, `model.parameters()`, and the receiver of `load_state_dict`."""
    if method(call)[1] == "load_state_dict":
        return {path(method(call)[0])}
    given = (method(one)[0] if method(one)[1] in ("parameters", "state_dict") else one for one in call.args)
    return {path(one) for one in given} - {""}
