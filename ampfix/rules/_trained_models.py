"""Models that a file trains under autocast, and which calls elsewhere in the file mean one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Form, Source
from ampfix.records import dataclass
from ampfix.rules._copies import Alias, aliases, are_built_alike, built, reloads, wrapped
from ampfix.rules._forwards import Forwards
from ampfix.rules._frozen import frozen_models
from ampfix.rules._halfmodels import assigned
from ampfix.rules._models import (
    SELF,
    alternatives,
    handed,
    holder_of,
    parted,
)
from ampfix.rules._places import parameters
from ampfix.rules._shapes import (
    FUNCTIONS,
    backwards,
    function_of,
    inside,
    is_without_grad,
    loops,
    method,
    opener_of,
    own,
    path,
    placed,
)

Variable = tuple[str, ast.AST]  # a name and the function or class it belongs to
_Known = Callable[[str, ast.AST, Source], list[Alias]]
_MAX_ALIASES = 3
_GENERIC = {"model", "net", "network"}
# Parts of a model that its training does not move, or runs elsewhere.
_APART = pattern(
    r"\.\w*(teacher|ema|target|momentum|frozen|reference|ref|pretrained|_aug|preproc)\w*$|^self\.\w+$", re.IGNORECASE
)


@dataclass(frozen=True)
class TrainedModel:
    """A model that is called under a region of a training step. owner: the function or class its name belongs to."""

    name: str
    owner: ast.AST
    region: CoveredRegion


def trained_models(source: Source, forwards: Forwards) -> Iterator[TrainedModel]:
    """What the regions of functions that run a backward call, and those of the functions that these call."""
    trainers = _trainers(source)
    helpers = {path(node.func).rpartition(".")[2] for one in trainers for node in _calls_in(one)}
    steps = {getattr(one, "name", "") for one in trainers if not any(loops(each, source) for each in backwards(one))}
    frozen = frozen_models(source) if source.regions else ()
    for region in source.regions:
        if region.enabled is False or _is_switched_off(region, source):
            continue
        function = region.node if isinstance(region.node, FUNCTIONS) else function_of(region.node, source)
        trains = function in trainers or getattr(function, "name", "") in helpers
        if trains or _hands_to_step(region, function, steps):
            yield from (one for one in _run_under(region, forwards, source) if (one.name, one.owner) not in frozen)


def _hands_to_step(region: CoveredRegion, function: ast.AST, steps: set[str]) -> bool:
    """Whether a function goes on, behind a region, with a function of the file that runs the backward of this step."""
    behind = (call for call in _calls_in(function) if call.lineno > region.node.lineno)
    return any(path(call.func) in (name, f"{SELF}.{name}") for call in behind for name in steps)


def _is_switched_off(region: CoveredRegion, source: Source) -> bool:
    """Whether a constant of the file switches the region off."""
    opened = (one.enabled for one in source.autocasts if one.node is region.call)
    return any(enabled is not None and source.truth(enabled) is False for enabled in opened)


def _run_under(region: CoveredRegion, forwards: Forwards, source: Source) -> Iterator[TrainedModel]:
    for call in _calls_in(region.node):
        if is_without_grad(call, source) or _is_frozen(call, source):
            continue
        for name in forwards.of(call):
            yield TrainedModel(name, holder_of(call, name, source), region)
            for inner, owner in forwards.inner(call):
                yield TrainedModel(inner, owner, region)
            if name == SELF:
                yield from _run_by_methods(forwards.methods("forward", call), region, forwards, source)


def _is_frozen(call: ast.Call, source: Source) -> bool:
    """Under `set_grad_enabled(args.train_vae)`: a switch of its own decides whether that model trains."""
    opened = (item.context_expr for around in inside(call, source) for item in getattr(around, "items", ()))
    given = (
        one.args[0] for one in opened if method(one)[1] == "set_grad_enabled" and isinstance(one, ast.Call) and one.args
    )
    return any(path(value).rpartition(".")[2].startswith("train_") for value in given)


def _run_by_methods(
    methods: list[ast.AST], region: CoveredRegion, forwards: Forwards, source: Source
) -> Iterator[TrainedModel]:
    """The models of the same object that its forward runs with gradients."""
    for inner in (node for one in methods for node in _calls_in(one)):
        for name in forwards.of(inner):
            if name.startswith("self.") and not is_without_grad(inner, source):
                yield TrainedModel(name, holder_of(inner, name, source), region)


def _trainers(source: Source) -> set[ast.AST]:
    functions = (source.tree, *source.nodes(FUNCTIONS))
    return {function for function in functions if any(True for _ in backwards(function))}


def meant(
    name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source, depth: int = 0
) -> TrainedModel | None:
    """The trained model that a name means at some place, or is taken for where a function's callers are not seen."""
    owner = holder_of(at, name, source)
    match = proven(name, at, trained, source)
    if match is not None or depth == _MAX_ALIASES:
        return match
    if not is_parameter(name, owner):
        found = (meant(one, value, trained, source, depth + 1) for one, value in aliases(name, owner, source))
        return next((one for one in found if one is not None), None)
    if is_rebound(name, owner, source):
        return None
    if all(one == name and is_parameter(one, there) for one, there in handed_on({(name, owner)}, source)):
        same = (one for one in trained if any(_is_called_alike(known, name) for known in _names_of(one, source)))
        return next((one for one in same if _train_all(trained, one.name, source)), None)
    return None


def _names_of(model: TrainedModel, source: Source) -> Iterator[str]:
    """What the function that trains a model calls it: `unet`, and `model` that it is another name for."""
    yield model.name.removeprefix(f"{SELF}.")
    if not is_parameter(model.name, model.owner):
        yield from (known for known, _ in wrapped(model.name, model.owner, source) if is_parameter(known, model.owner))


def _is_called_alike(one: str, other: str) -> bool:
    """Whether two names, of which one belongs to functions whose callers are not seen, may mean the same model."""
    return one == other or {one, other} <= _GENERIC


def proven(
    name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source, depth: int = 0
) -> TrainedModel | None:
    """The trained model that a name means at some place: the same variable, an alias of it, or a parameter that is
    handed the same thing."""
    owner = holder_of(at, name, source)
    same = next((one for one in trained if one.name == name and one.owner is owner), None)
    given = (one for one in trained if (name, owner) in _variables(one, source))
    same = same or next(given, None)  # where it is handed to the function that trains it
    same = same or _loaded_again(name, owner, trained, source)
    if same is not None:
        return same
    if not is_parameter(name, owner):
        if depth == _MAX_ALIASES:
            return None
        found = (proven(one, value, trained, source, depth + 1) for one, value in aliases(name, owner, source))
        return next((one for one in found if one is not None), None)
    if is_rebound(name, owner, source):
        return None
    passed = handed_on({(name, owner)}, source)
    return next((one for one in trained if passed & _variables(one, source)), None)


def is_rebound(name: str, owner: ast.AST, source: Source) -> bool:
    """Whether a parameter is something else by then."""
    return any(name not in {path(placed(value)), *alternatives(value)} for value in assigned(name, owner, source))


def _loaded_again(name: str, owner: ast.AST, trained: Sequence[TrainedModel], source: Source) -> TrainedModel | None:
    """The trained model that is built by the same call, where this one loads its weights."""
    again = reloads(name, owner, source)
    if again is None:
        return None
    for one in trained:
        for other, there in _variables(one, source):
            made = built(other, there, source)
            if made is not None and made is not again and are_built_alike(again, name, made, other):
                return one
    return None


def part_of(name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source) -> TrainedModel | None:
    """The trained model of which `net.backbone` is a part, or a parameter that it is handed to."""
    owner = holder_of(at, name, source)
    if is_parameter(name, owner) and is_rebound(name, owner, source):
        return None
    meanings = handed_on({(name, owner)}, source) if is_parameter(name, owner) else {(name, owner)}
    wholes = {(one.rpartition(".")[0], there) for one, there in meanings if not _APART.search(one)}
    known = (one for one in trained if any((one.name, one.owner) == whole for whole in wholes))
    whole = next(known, None) or next((one for one in trained if wholes & _variables(one, source)), None)
    return None if whole is not None and (name, owner) in frozen_models(source) else whole


def held_in(name: str, at: ast.AST, trained: Sequence[TrainedModel], source: Source) -> TrainedModel | None:
    """A trained model that a list or dictionary of this name holds."""
    owner = holder_of(at, name, source)
    return next((one for one in trained if one.owner is owner and one.name.startswith(f"{name}[")), None)


def is_parameter(name: str, owner: ast.AST) -> bool:
    return isinstance(owner, FUNCTIONS) and parted(name)[0] in parameters(owner)


def handed_on(variables: set[Variable], source: Source, known_as: _Known = aliases) -> set[Variable]:
    """The variables, what they are known as too, and what callers hand in where they are parameters, callers of these
    as well."""
    found = set(variables)
    new = found
    for _ in range(_MAX_ALIASES):
        same = (known for name, owner in new for known in known_as(name, owner, source))
        more = {(alias, holder_of(at, alias, source)) for alias, at in same}
        for name, owner in new:
            root, rest = parted(name)
            if is_parameter(name, owner):
                more |= {(f"{one}{rest}", there) for one, there in handed(owner, root, source)}
            elif rest.startswith(".") and root != SELF:
                more |= {(f"{SELF}{rest}", kind) for kind in classes_of(root, owner, source)}
        new = more - found
        found |= new
    return found


def classes_of(name: str, owner: ast.AST, source: Source) -> Iterator[ast.ClassDef]:
    """The classes of this file of which a variable holds an object."""
    for value in assigned(name, owner, source):
        for binding in source.resolve(value.func) if isinstance(value, ast.Call) else ():
            if binding.form is Form.CLASS and isinstance(binding.node, ast.ClassDef):
                yield binding.node


def _variables(model: TrainedModel, source: Source) -> set[Variable]:
    """The variables that hold a trained model: its own name, and what its function is handed under it."""
    return handed_on({(model.name, model.owner)}, source, wrapped)


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
