"""Models that a file trains under autocast, and which calls elsewhere in the file mean one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules._halfmodels import assigned
from ampfix.rules._shapes import (
    FUNCTIONS,
    function_of,
    is_without_grad,
    looks_like_a_model,
    method,
    own,
    owner_of,
    path,
    placed,
)

_Variable = tuple[str, ast.AST]  # a name and the function or class it belongs to


@dataclass(frozen=True)
class TrainedModel:
    """A model that is called under a region of a training step. owner: the function or class its name belongs to."""

    name: str
    owner: ast.AST
    region: CoveredRegion


def trained_models(source: Source) -> Iterator[TrainedModel]:
    """What the regions of functions that run a backward call, and those of the functions that these call."""
    trainers = _trainers(source)
    helpers = {
        path(node.func).rpartition(".")[2] for one in trainers for node in own(one) if isinstance(node, ast.Call)
    }
    switched = switched_names(source)
    running = _running_models(source, switched)
    for region in source.regions:
        if region.enabled is False or not isinstance(region.node, (ast.With, ast.AsyncWith)):
            continue
        function = function_of(region.node, source)
        trains = function in trainers or getattr(function, "name", "") in helpers
        if not trains or is_without_grad(region.node.body[0], source):
            continue
        for call in own(region.node):
            if not isinstance(call, ast.Call):
                continue
            name = model_of(call, switched)
            if name:
                yield TrainedModel(name, owner_of(call, name, source), region)
            called = path(call.func)
            if called.removeprefix("self.") in running:
                yield TrainedModel(called, owner_of(call, called, source), region)
                for given in (*call.args, *(word.value for word in call.keywords)):
                    handed = path(given).removesuffix(".module")
                    if handed and (handed in switched or looks_like_a_model(handed)):
                        yield TrainedModel(handed, owner_of(call, handed, source), region)


def _running_models(source: Source, switched: set[str]) -> set[str]:
    """The functions and methods of this file that run a model forward, and neither train it nor open a region."""
    covered = {function_of(region.node, source) for region in source.regions}
    found = set()
    for function in source.nodes((ast.FunctionDef,)):
        assert isinstance(function, ast.FunctionDef)
        if function in covered or function.name in ("forward", "__call__", "__init__"):
            continue
        made = [node for node in own(function) if isinstance(node, ast.Call)]
        if any(model_of(call, switched) for call in made) and not any(method(call)[1] == "backward" for call in made):
            found.add(function.name)
    return found


def _trainers(source: Source) -> set[ast.AST]:
    return {function_of(call, source) for call in source.nodes((ast.Call,)) if method(call)[1] == "backward"}


def switched_names(source: Source) -> set[str]:
    """Names that are switched between training and evaluation, as modules alone are."""
    calls = (method(call) for call in source.nodes((ast.Call,)))
    return {path(receiver) for receiver, name in calls if name in ("train", "eval")} - {"", "self"}


_FORWARD = re.compile(
    r"(forward|predict|infer|encode|decode|extract|get_features?)(_\w+)?|generate|sample|(get|compute)_loss|loss|"
    r"(training|validation|test)_step"
)


def model_of(call: ast.Call, switched: set[str]) -> str:
    """The name of the model that a call runs forward, by calling it or a method that does; empty for other calls."""
    receiver, name = method(call)
    called = path(receiver) if _FORWARD.fullmatch(name) else path(call.func)
    called = called.removesuffix(".module")  # what DistributedDataParallel wraps
    return called if called and (called in switched or looks_like_a_model(called)) else ""


def meant(
    name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source, depth: int = 0
) -> TrainedModel | None:
    """The trained model that a name means at some place: the same variable, an alias of it, or a parameter that is
    handed the same thing."""
    owner = owner_of(at, name, source)
    same = next((one for one in trained if one.name == name and one.owner is owner), None)
    handed = (one for one in trained if (name, owner) in _variables(one, source))
    same = same or next(handed, None)  # where it is handed to the function that trains it
    if same is not None or not isinstance(owner, FUNCTIONS):
        return same
    if name not in parameters(owner):
        aliases = {alias for value in assigned(name, owner, source) for alias in _alternatives(value)} - {name}
        found = (meant(alias, at, trained, source, depth + 1) for alias in sorted(aliases) if depth < _MAX_ALIASES)
        return next((one for one in found if one is not None), None)
    if any(name not in {path(placed(value)), *_alternatives(value)} for value in assigned(name, owner, source)):
        return None  # it is something else by then
    passed = _with_aliases(set(_handed(owner, name, source)), source)
    if not passed:
        return next((one for one in trained if one.name == name and _train_all(trained, name, source)), None)
    return next((one for one in trained if passed & _variables(one, source)), None)


def _with_aliases(variables: set[_Variable], source: Source) -> set[_Variable]:
    """The variables and what they are set to where they belong."""
    found = set(variables)
    for _ in range(_MAX_ALIASES):
        values = {(value, owner) for name, owner in found for value in assigned(name, owner, source)}
        found |= {(alias, owner) for value, owner in values for alias in _alternatives(value)}
    return found


_MAX_ALIASES = 3
_WRAPPERS = re.compile(
    r"DistributedDataParallel|DDP|DataParallel|compile|getattr|\w*unwrap\w*|de_parallel|\w*raw_model"
)


def _alternatives(value: ast.expr) -> Iterator[str]:
    """The variables that `ema.module if ema else model` may be."""
    if isinstance(value, ast.IfExp):
        yield from (*_alternatives(value.body), *_alternatives(value.orelse))
    elif isinstance(value, ast.BoolOp):
        yield from (alias for operand in value.values for alias in _alternatives(operand))
    elif isinstance(value, ast.Call) and _WRAPPERS.fullmatch(path(value.func).rpartition(".")[2]):
        if value.args:
            yield from _alternatives(value.args[0])
        elif path(value.func).startswith("self."):
            yield "self.model"
    elif path(value):
        yield path(value).removesuffix(".module")


def _variables(model: TrainedModel, source: Source) -> set[_Variable]:
    """The variables that hold a trained model: its own name, and what its function is handed under it."""
    found = {(model.name, model.owner)}
    if isinstance(model.owner, FUNCTIONS) and model.name in parameters(model.owner):
        found |= set(_handed(model.owner, model.name, source))
    return _with_aliases(found, source)


def _train_all(trained: Sequence[TrainedModel], name: str, source: Source) -> bool:
    """Whether every function of the file that runs a backward calls a model of this name under autocast."""
    return _trainers(source) <= {function_of(one.region.node, source) for one in trained if one.name == name}


def parameters(function: ast.AST) -> set[str]:
    """The names of a function's parameters."""
    arguments = getattr(function, "args", None)
    return {node.arg for node in walk(arguments) if isinstance(node, ast.arg)} if arguments is not None else set()


def _handed(function: ast.AST, name: str, source: Source) -> Iterator[_Variable]:
    """The variables that calls in this file pass for a parameter, each with where it belongs."""
    arguments = getattr(function, "args", None)
    positions = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)] if arguments else []
    for call in source.nodes((ast.Call,)):
        if not isinstance(call, ast.Call) or path(call.func).rpartition(".")[2] != getattr(function, "name", ""):
            continue
        place = positions.index(name) - (positions[:1] == ["self"]) if name in positions else len(call.args)
        values = [keyword.value for keyword in call.keywords if keyword.arg == name]
        values += call.args[place : place + 1]
        for value in values:
            variable = path(value).removesuffix(".module")  # what DistributedDataParallel wraps
            if variable:
                yield variable, owner_of(call, variable, source)
