"""Models that a file trains under autocast, and which calls elsewhere in the file mean one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ampfix.program import CoveredRegion, Source
from ampfix.records import dataclass
from ampfix.rules._halfmodels import assigned
from ampfix.rules._models import (
    SELF,
    alternatives,
    bare_name,
    handed,
    holder_of,
    is_model,
    model_of,
    named,
    parameters,
    parted,
    switched_names,
)
from ampfix.rules._shapes import FUNCTIONS, function_of, is_without_grad, method, opener_of, own, path, placed

_Variable = tuple[str, ast.AST]  # a name and the function or class it belongs to
_MAX_ALIASES = 3
_RUNS = re.compile(
    r"loss|forward|(^|_)(step|run|predict|compute|calc)", re.IGNORECASE
)  # what runs a model handed to it


@dataclass(frozen=True)
class TrainedModel:
    """A model that is called under a region of a training step. owner: the function or class its name belongs to."""

    name: str
    owner: ast.AST
    region: CoveredRegion


def trained_models(source: Source) -> Iterator[TrainedModel]:
    """What the regions of functions that run a backward call, and those of the functions that these call."""
    trainers = _trainers(source)
    helpers = {path(node.func).rpartition(".")[2] for one in trainers for node in _calls_in(one)}
    switched = switched_names(source)
    running = _running_models(source, switched)
    for region in source.regions:
        if region.enabled is False or _is_switched_off(region, source):
            continue
        function = opener_of(region, source)
        trains = function in trainers or getattr(function, "name", "") in helpers
        if trains:
            yield from _run_under(region, switched, running, source)


def _is_switched_off(region: CoveredRegion, source: Source) -> bool:
    """Whether a constant of the file switches the region off."""
    opened = (one.enabled for one in source.autocasts if one.node is region.call)
    return any(enabled is not None and source.truth(enabled) is False for enabled in opened)


def _run_under(
    region: CoveredRegion, switched: set[str], running: dict[str, list[ast.AST]], source: Source
) -> Iterator[TrainedModel]:
    for call in _calls_in(region.node):
        if is_without_grad(call, source):
            continue
        name, called = model_of(call, switched), path(call.func)
        if name:
            yield TrainedModel(name, holder_of(call, name, source), region)
        functions = running.get("forward" if name == SELF else called.removeprefix("self."), [])
        if functions:
            yield TrainedModel(called, holder_of(call, called, source), region)
        elif not _RUNS.search(called.rpartition(".")[2]):
            continue
        for given in (*call.args, *(word.value for word in call.keywords)):
            variable = bare_name(named(given))
            if variable and is_model(variable, switched):
                yield TrainedModel(variable, holder_of(call, variable, source), region)
        if name == SELF or called.startswith("self."):
            yield from _run_by_methods(functions, region, switched, source)


def _run_by_methods(
    methods: list[ast.AST], region: CoveredRegion, switched: set[str], source: Source
) -> Iterator[TrainedModel]:
    """The models of the same object that a method, called under a region, runs with gradients."""
    for inner in (node for one in methods for node in _calls_in(one)):
        name = model_of(inner, switched)
        if name.startswith("self.") and not is_without_grad(inner, source):
            yield TrainedModel(name, holder_of(inner, name, source), region)


def _running_models(source: Source, switched: set[str]) -> dict[str, list[ast.AST]]:
    """The functions and methods of this file that run a model forward, and neither train it nor open a region."""
    covered = {function_of(region.node, source) for region in source.regions}
    found: dict[str, list[ast.AST]] = {}
    for function in source.nodes((ast.FunctionDef,)):
        assert isinstance(function, ast.FunctionDef)
        if function in covered or function.name in ("__call__", "__init__"):
            continue
        made = list(_calls_in(function))
        if any(model_of(call, switched) for call in made) and not any(method(call)[1] == "backward" for call in made):
            found.setdefault(function.name, []).append(function)
    return found


def _trainers(source: Source) -> set[ast.AST]:
    return {function_of(call, source) for call in source.nodes((ast.Call,)) if method(call)[1] == "backward"}


def meant(
    name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source, depth: int = 0
) -> TrainedModel | None:
    """The trained model that a name means at some place: the same variable, an alias of it, or a parameter that is
    handed the same thing."""
    owner = holder_of(at, name, source)
    same = next((one for one in trained if one.name == name and one.owner is owner), None)
    given = (one for one in trained if (name, owner) in _variables(one, source))
    same = same or next(given, None)  # where it is handed to the function that trains it
    if same is not None:
        return same
    if not _is_parameter(name, owner):
        if depth == _MAX_ALIASES:
            return None
        aliases = {alias: value for value in assigned(name, owner, source) for alias in alternatives(value)}
        found = (meant(one, value, trained, source, depth + 1) for one, value in aliases.items() if one != name)
        return next((one for one in found if one is not None), None)
    if any(name not in {path(placed(value)), *alternatives(value)} for value in assigned(name, owner, source)):
        return None  # it is something else by then
    passed = _handed_on({(name, owner)}, source)
    match = next((one for one in trained if passed & _variables(one, source)), None)
    if match is None and all(one == name and _is_parameter(one, there) for one, there in passed):  # of unseen callers
        return next((one for one in trained if one.name == name and _train_all(trained, name, source)), None)
    return match


def held_in(name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source) -> TrainedModel | None:
    """A trained model that a list or dictionary of this name holds."""
    owner = holder_of(at, name, source)
    return next((one for one in trained if one.owner is owner and one.name.startswith(f"{name}[")), None)


def _is_parameter(name: str, owner: ast.AST) -> bool:
    return isinstance(owner, FUNCTIONS) and parted(name)[0] in parameters(owner)


def _handed_on(variables: set[_Variable], source: Source) -> set[_Variable]:
    """The variables, what they are set to, and what callers hand in where they are parameters, callers of these too."""
    found = set(variables)
    new = found
    for _ in range(_MAX_ALIASES):
        values = [value for name, owner in new for value in assigned(name, owner, source)]
        more = {(alias, holder_of(value, alias, source)) for value in values for alias in alternatives(value)}
        for name, owner in new:
            root, rest = parted(name)
            if _is_parameter(name, owner):
                more |= {(f"{one}{rest}", there) for one, there in handed(owner, root, source)}
        new = more - found
        found |= new
    return found


def _variables(model: TrainedModel, source: Source) -> set[_Variable]:
    """The variables that hold a trained model: its own name, and what its function is handed under it."""
    return _handed_on({(model.name, model.owner)}, source)


def _train_all(trained: Sequence[TrainedModel], name: str, source: Source) -> bool:
    """Whether every function of the file that runs a backward calls a model of this name under autocast, or a function
    that does."""
    opening = {opener_of(one.region, source) for one in trained if one.name == name}
    names = {getattr(function, "name", "") for function in opening}
    return all(
        function in opening or any(path(node.func).rpartition(".")[2] in names for node in _calls_in(function))
        for function in _trainers(source)
    )


def _calls_in(function: ast.AST) -> Iterator[ast.Call]:
    return (node for node in own(function) if isinstance(node, ast.Call))
