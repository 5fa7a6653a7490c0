"""Functions of other files that are handed an optimizer: those that store or restore it, and those that step it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from ampfix.program import CalledElsewhere, Role, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.records import dataclass
from ampfix.rules import _checkpoints as checkpoints
from ampfix.rules import _places as places

_OF_SCALERS = re.compile(r"scaler|\bamp\b", re.IGNORECASE)
_OPTIMIZER = re.compile(r"opt", re.IGNORECASE)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
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
            if _OF_SCALERS.search(ast.unparse(to.definition)) and not _leaves_out(call, to):
                continue
            for parameter, value in to.arguments.items():
                verb = _done_with(parameter, to.definition) if id(value) in given else ""
                if verb:
                    yield Handed(call, places.spelled(value), verb, to)


def _leaves_out(call: ast.Call, to: CalledElsewhere) -> bool:
    """Whether the function would take a scaler, None if it gets none, and the call, in full view, hands it none."""
    if any(isinstance(one, ast.Starred) for one in call.args) or any(word.arg is None for word in call.keywords):
        return False
    arguments = to.definition.args
    with_default = [
        *arguments.args[len(arguments.args) - len(arguments.defaults) :],
        *(one for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is not None),
    ]
    return any("scaler" in one.arg.lower() and one.arg not in to.arguments for one in with_default)


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


def stepping_elsewhere(source: Source) -> Iterator[checkpoints.Pair]:
    """Scalers that step this file's optimizers in functions of other files, which get both or make the scaler."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        if not any(_OPTIMIZER.search(_last(one)) for one in _given(call)):
            continue
        for to in source.called_elsewhere(call):
            for step in places.methods_called(to.definition, "step", "unscale_"):
                optimizer = to.arguments.get(places.spelled(step.args[0])) if step.args else None
                if isinstance(optimizer, (ast.Name, ast.Attribute)):
                    yield from _stepper(places.receiver(step), places.spelled(optimizer), call, to, source)


def stepping_inside(source: Source) -> Iterator[checkpoints.Pair]:
    """Scalers inside objects of other files that step this file's optimizers: `self.mixed.step(self.optimizer)`."""
    states = places.all_methods_called(source, "state_dict", "load_state_dict")
    kept = tuple(f"{places.receiver(call)}." for call in states if places.receiver(call) not in ("", "self"))
    for routine in source.routines:
        for do in routine.events:
            scaler, call = do.event.scaler or "", source.call_at(do.site.span)
            if do.event.kind is not EventKind.SCALER_STEP or not do.event.path or call is None:
                continue
            if scaler.startswith(kept):
                continue  # the object around it keeps its state
            for optimizer in do.event.optimizers:
                if _DOTTED.fullmatch(scaler) and _DOTTED.fullmatch(optimizer):
                    yield checkpoints.Pair(
                        scaler, optimizer, places.class_of(call, source), do.site.proven, inside=True
                    )


def _stepper(
    scaler: str, optimizer: str, call: ast.Call, to: CalledElsewhere, source: Source
) -> Iterator[checkpoints.Pair]:
    owner = places.class_of(call, source)
    given = to.arguments.get(scaler)
    if isinstance(given, (ast.Name, ast.Attribute)):
        held = source.held(given)
        if held.role is Role.SCALER:
            yield checkpoints.Pair(places.spelled(given), optimizer, owner, held.proven)
    elif _makes(to.definition, scaler):
        yield checkpoints.Pair(scaler, optimizer, owner, proven=True, built_in=to.definition.name)


def _makes(function: ast.AST, scaler: str) -> bool:
    """Whether a function builds the scaler itself, so that it is a fresh one in each call, and keeps no state of it."""
    built = (node for node in walk(function) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    calls = [node.value for node in built if scaler in map(places.spelled, node.targets)]
    states = places.methods_called(function, "state_dict", "load_state_dict")
    return (
        bool(calls)
        and all(
            isinstance(call, ast.Call) and _name(call) == "GradScaler" and not places.is_switched_off(call)
            for call in calls
        )
        and not any(places.receiver(state) == scaler for state in states)
    )
