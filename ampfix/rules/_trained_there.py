"""Models that functions and objects of other files train under autocast, by the names that this file has for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.rules._copies import returned
from ampfix.rules._evaluated_elsewhere import is_run, trains_in_region, trains_there
from ampfix.rules._handed_models import HandedModel
from ampfix.rules._models import SELF, holder_of, is_model, named
from ampfix.rules._places import given_for, parameters
from ampfix.rules._reached import known_as
from ampfix.rules._shapes import FUNCTIONS, backwards, function_of, is_without_grad, method, own, path, regions_around
from ampfix.rules._trained_models import TrainedModel, Variable, classes_of, handed_on, is_parameter, is_rebound

_TRAINS = pattern(r"train|fit|learn|tune|run", re.IGNORECASE)


class TrainedThere:
    """Answers for one file."""

    def __init__(self, handed: Iterable[HandedModel], source: Source) -> None:
        self._source = source
        self._known: dict[Variable, HandedModel] = {}
        for one in handed:
            if trains_in_region(one, source):
                for variable in _variables(one, source):
                    self._known.setdefault(variable, one)

    def __bool__(self) -> bool:
        return bool(self._known)

    def by(self, name: str, at: ast.AST) -> HandedModel | None:
        """The call by which the model that a name means at some place is trained."""
        if not self._known:
            return None
        owner = holder_of(at, name, self._source)
        if (name, owner) in self._known:
            return self._known[name, owner]
        if is_parameter(name, owner) and is_rebound(name, owner, self._source):
            return None
        passed = handed_on({(name, owner)}, self._source) & self._known.keys()
        return next((one for variable, one in self._known.items() if variable in passed), None)


def handed_back(source: Source, switched: set[str]) -> Iterator[HandedModel]:
    """The models that functions of other files train and return."""
    for assign in source.nodes((ast.Assign,)):
        assert isinstance(assign, ast.Assign)
        call = assign.value
        if not isinstance(call, ast.Call) or not _TRAINS.search(path(call.func).rpartition(".")[2]):
            continue
        (target, *_), several = assign.targets, isinstance(assign.targets[0], ast.Tuple)
        for place, one in enumerate(getattr(target, "elts", [target])):
            if is_model(named(one), switched):
                for to in source.called_elsewhere(call):
                    names = {named(value) for value in returned(to.definition, place if several else None)}
                    yield HandedModel(call, named(one), to, frozenset(names - {""} - parameters(to.definition)))


def trained_through(handed: Iterable[HandedModel], source: Source) -> Iterator[TrainedModel]:
    """The models that functions and objects of other files run in the region of a training step of this one."""
    for one in handed:
        around = regions_around(one.call, source)
        if not around or around[0].enabled is False or is_without_grad(one.call, source) or not is_run(one, source):
            continue
        if any(True for _ in backwards(function_of(one.call, source))) or trains_there(one, source):
            yield TrainedModel(one.name, holder_of(one.call, one.name, source), around[0])


def _variables(handed: HandedModel, source: Source) -> Iterator[Variable]:
    """What the model is called: here, where callers hand it in, as an attribute of the object that trains it, and in
    the functions that are handed over with it."""
    yield from handed_on({(handed.name, holder_of(handed.call, handed.name, source))}, source)
    holder = named(method(handed.call)[0]) if isinstance(handed.call.func, ast.Attribute) else ""
    for inner in handed.names:
        root, _, kept = inner.partition(".")
        if root == SELF and kept and holder:
            name = f"{holder}.{kept}"
            owner = holder_of(handed.call, name, source)
            yield name, owner
            yield from ((inner, kind) for kind in classes_of(holder, owner, source))
    yield from _in_callbacks(handed, source)


def _in_callbacks(handed: HandedModel, source: Source) -> Iterator[Variable]:
    """The parameters for which the function that trains hands the model to functions that it is handed."""
    given = {**handed.to.arguments, **{f"{SELF}.{name}": value for name, value in handed.to.fields.items()}}
    functions = {name: list(_functions(value, source)) for name, value in given.items()}
    names = known_as(handed.to.definition, handed.names)
    for call in own(handed.to.definition):
        for function in functions.get(path(call.func), ()) if isinstance(call, ast.Call) else ():
            for one in parameters(function):
                if named(given_for(one, function, call)) in names:  # type: ignore[arg-type]
                    yield one, function


def _functions(value: object, source: Source) -> Iterator[ast.AST]:
    if isinstance(value, (ast.Name, ast.Attribute, ast.Lambda)):
        yield from (b.node for b in source.resolve(value) if b.form is Form.FUNCTION and isinstance(b.node, FUNCTIONS))


def where_trained(match: TrainedModel | None, trainer: HandedModel | None) -> str:
    """Where a model is trained under autocast, in words."""
    if match is not None:
        return f"in line {match.region.opening.lineno}"
    return f"by {trainer.to.definition.name} of {trainer.to.path}" if trainer is not None else ""
