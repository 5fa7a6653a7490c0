"""Calls that hand a model of this file to a function or an object of another one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ampfix.patterns import pattern
from ampfix.program import CalledElsewhere, Source
from ampfix.program.spelling import is_super
from ampfix.records import dataclass
from ampfix.rules._models import SELF, handed_name, is_model, is_piece, named, parted
from ampfix.rules._places import assignments, given_for
from ampfix.rules._region_switches import constructor_of
from ampfix.rules._shapes import handed_in, looks_like_a_model, method, own, path

_MANY = pattern(r"(^|[._])models$")
_BUILDS = pattern(r"_?(build|make|create|get|init|setup|load)_(?!\w*(optim|sched|loader))")


@dataclass(frozen=True)
class HandedModel:
    """A call that hands a model to a function of another file, or runs a method of an object that holds it. name: of
    the model, as written here; names: as that function knows it."""

    call: ast.Call
    name: str
    to: CalledElsewhere
    names: frozenset[str]


def handed_models(source: Source, switched: set[str], trained: Iterable[str]) -> Iterator[HandedModel]:
    """The calls of this file that hand a model over. trained: the names of models that this file trains."""
    held = [name for name in dict.fromkeys((*trained, *sorted(switched), *_kept_by_others(source))) if "." in name]
    holders = set(_holders(source, switched)) - {""}
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        names = dict.fromkeys(_models_given(call, switched))
        receiver = method(call)[0] if isinstance(call.func, ast.Attribute) else call.func
        objects = {_object(one) for one in (*handed_in(call), receiver)} - {""}
        names |= dict.fromkeys(name for name in held if name.rpartition(".")[0] in objects)
        built = isinstance(receiver, ast.Call) and any(True for _ in _models_given(receiver, switched))
        if not names and not built and named(receiver) not in holders:
            continue
        for to in source.called_elsewhere(call):
            kept = (handed_name(value) for value in to.fields.values())
            for name in names | dict.fromkeys(name for name in kept if name and is_model(name, switched)):
                inner = known_inside(to, call, frozenset({name}))
                if inner:
                    yield HandedModel(call, name, to, inner)
            for name, inside in _kept_by_its_objects(to):
                if is_model(name, switched):
                    yield HandedModel(call, name, to, frozenset({inside}))


def _kept_by_its_objects(to: CalledElsewhere) -> Iterator[tuple[str, str]]:
    """What the object whose method is called was made of and only handed to another that it keeps, by the name that
    this mostly has there: `self.evaluator.model` for `self.evaluator = Evaluator(model)`."""
    constructor = constructor_of(to)
    for one in own(constructor) if constructor is not None else ():
        made, kept = (one.value, path(one.targets[0])) if isinstance(one, ast.Assign) else (None, "")
        if not isinstance(made, ast.Call) or not kept.startswith(f"{SELF}."):
            continue
        for value in handed_in(made):
            given = (
                given_for(path(value), constructor, to.built)
                if constructor is not None and to.built is not None
                else None
            )
            word = next((word.arg for word in made.keywords if word.value is value), None)
            if handed_name(given):
                yield handed_name(given), f"{kept}.{word or path(value)}"


def _kept_by_others(source: Source) -> Iterator[str]:
    """The models that the file takes from objects, to hand them on: `evaluate(trainer.model)`."""
    for call in source.nodes((ast.Call,)):
        for one in handed_in(call):  # type: ignore[arg-type]
            if isinstance(one, ast.Attribute) and looks_like_a_model(one.attr) and parted(named(one))[0] != SELF:
                yield named(one)


def _holders(source: Source, switched: set[str]) -> Iterator[str]:
    """The variables that hold what a call of a class, or of a function that builds one, makes of a model."""
    for assign in source.nodes((ast.Assign,)):
        assert isinstance(assign, ast.Assign)
        for target, made in assignments(assign):
            called = path(made.func).rpartition(".")[2] if isinstance(made, ast.Call) else ""
            is_object = called[:1].isupper() or _BUILDS.match(called)
            if is_object and any(True for _ in _models_given(made, switched)):  # type: ignore[arg-type]
                yield named(target)


def _models_given(call: ast.Call, switched: set[str]) -> Iterator[str]:
    for name in (handed_name(one) for one in handed_in(call)):
        whole = name.rpartition(".")[0]
        if name and (is_model(name, switched) or is_many(name)):
            yield name
        elif is_piece(name, whole) and is_model(whole, switched):
            yield whole


def _object(value: ast.AST) -> str:
    """What a file calls an object: itself also where it is asked as one of its base class."""
    return SELF if is_super(value) else named(value)


def is_many(name: str) -> bool:
    """Whether a name holds models in a list or by name."""
    return _MANY.search(name) is not None


def known_inside(to: CalledElsewhere, call: ast.Call, names: frozenset[str]) -> frozenset[str]:
    """What a called function knows models as: by a parameter, an attribute of its object, or of what it is handed."""
    places = [(parameter, handed_name(value)) for parameter, value in to.arguments.items()]
    places += [(f"self.{attribute}", handed_name(value)) for attribute, value in to.fields.items()]
    places += [("self", _object(method(call)[0] if isinstance(call.func, ast.Attribute) else call.func))]
    found = set()
    for inner, outer in places:
        for name in names if outer else ():
            if inner != "self" and (name == outer or is_piece(outer, name)):
                found.add(inner)
            elif name.startswith(f"{outer}."):
                found.add(f"{inner}{name[len(outer) :]}")
    return frozenset(found)
