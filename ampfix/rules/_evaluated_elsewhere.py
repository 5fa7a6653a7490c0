"""Models that this file hands to functions and objects of other files, which evaluate them or train them there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import PurePath
from typing import TypeGuard

from ampfix.program import CalledElsewhere, CoveredRegion, Source
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass, replace
from ampfix.rules._evaluations import LIKE_A_REGION, acts, goes_over_data, is_acting, regions_around
from ampfix.rules._models import SELF, alternatives, handed_name, is_model, is_piece, model_of, named, parted
from ampfix.rules._places import COMPREHENSIONS, assignments, names_in
from ampfix.rules._region_switches import off_attributes, off_parameters, switched_off_by
from ampfix.rules._shapes import (
    LOOPS,
    backwards,
    calls,
    function_of,
    handed_in,
    inside,
    is_without_grad,
    looks_like_a_model,
    loops,
    method,
    own,
    path,
    statement_of,
)
from ampfix.rules._training_data import is_trained_on
from ampfix.rules._trials import is_a_trial

_CALIBRATES = re.compile(r"calib|quant", re.IGNORECASE)  # the ranges of activations are collected in float32
_NO_GRAD = re.compile(r"no_grad|inference_mode")
_MANY = re.compile(r"(^|[._])models$")
_BUILDS = re.compile(r"_?(build|make|create|get|init|setup|load)_(?!\w*(optim|sched|loader))")
_ENVIRONMENT = re.compile(r"(^|[._])(\w*envs?|environment|game|board|simulator)$", re.IGNORECASE)
_HOPS = 3  # functions that only pass the model on


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
        objects = {named(one) for one in (*handed_in(call), receiver)} - {""}
        names |= dict.fromkeys(name for name in held if name.rpartition(".")[0] in objects)
        built = isinstance(receiver, ast.Call) and any(True for _ in _models_given(receiver, switched))
        if not names and not built and named(receiver) not in holders:
            continue
        for to in source.called_elsewhere(call):
            kept = (handed_name(value) for value in to.fields.values())
            for name in names | dict.fromkeys(name for name in kept if name and is_model(name, switched)):
                inner = _inner(to, call, frozenset({name}))
                if inner:
                    yield HandedModel(call, name, to, inner)


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
        if name and (is_model(name, switched) or _is_many(name)):
            yield name
        elif is_piece(name, whole) and is_model(whole, switched):
            yield whole


def is_evaluated(handed: HandedModel, source: Source) -> bool:
    """Whether the function runs the model in a loop, without gradients and without a region, and the call has none."""
    function = handed.to.definition
    if regions_around(handed.call, source) or _CALIBRATES.search(function.name):
        return False
    over_data = goes_over_data(function) or goes_over_data(function_of(handed.call, source))
    if is_acting(PurePath(handed.to.path).stem) and not over_data:
        return False
    if _is_part_of_a_turn(handed.call, source):
        return False
    reached = _reached_by(handed, source)
    if not _evaluates(reached, source):
        return False
    if any(any(True for _ in backwards(one.function)) for one in _all_reached(reached, source)):
        return False
    return not is_trained_on(handed.call, source)


def _is_part_of_a_turn(call: ast.Call, source: Source) -> bool:
    """Whether each turn of a loop that trains makes the call: what it makes is trained on."""
    around = loops(call, source)[:1]
    if not around or not _trains(around[0], source):
        return False
    return not any(isinstance(one, ast.If) for one in takewhile(lambda one: one is not around[0], inside(call, source)))


def is_told_here(handed: HandedModel, source: Source) -> bool:
    """Whether the function evaluates without a region because of what this call hands in: its own file shows none."""
    return not _evaluates(replace(_reached_by(handed, source), off=frozenset()), source)


def _reached_by(handed: HandedModel, source: Source) -> _Reached:
    quiet = is_without_grad(handed.call, source)
    off = off_parameters(handed.call, handed.to.definition) | off_attributes(handed.to)
    over_data = goes_over_data(function_of(handed.call, source))
    return _Reached(handed.to.definition, handed.names, quiet, _is_repeated(handed, source), off, over_data=over_data)


def _is_repeated(handed: HandedModel, source: Source) -> bool:
    """Whether a loop makes the call, and not for what a turn of it trains on."""
    around = loops(handed.call, source)
    if not around:
        return False
    statement = statement_of(handed.call, source)
    made = {named(target) for target in getattr(statement, "targets", ())} - {""}
    given = (names_in(one) for one in walk(around[0]) if isinstance(one, ast.Call))
    return not (_trains(around[0], source) or any(made & names and handed.name in names for names in given))


def _trains(loop: ast.AST, source: Source) -> bool:
    """Whether each turn of a loop runs a backward, in no further loop."""
    return any(loops(one, source)[:1] == [loop] for one in backwards(loop))


def trains_in_region(handed: HandedModel, source: Source) -> ast.expr | None:
    """The expression that opens the region in which the function, or one that it calls, runs the model it trains."""
    opening, trains = None, False
    for reached in _all_reached(_reached_by(handed, source), source):
        trains = trains or any(True for _ in backwards(reached.function))
        for region in source.regions_in(reached.function) if opening is None else ():
            items = [unparsed(item.context_expr) for item in region.node.items]
            if _is_off(region, reached) or any(_NO_GRAD.search(item) for item in items):
                continue
            if _runs_in(region.node, reached, source):
                opening = region.opening
    return opening if trains else None


def trains_there(handed: HandedModel, source: Source) -> bool:
    """Whether the function, or what it calls, runs a backward."""
    return any(any(True for _ in backwards(one.function)) for one in _all_reached(_reached_by(handed, source), source))


def is_run(handed: HandedModel, source: Source) -> bool:
    """Whether the function runs the model, or what it calls does."""
    return _runs_in(handed.to.definition, _Reached(handed.to.definition, handed.names, False), source)


def _runs_in(node: ast.AST, reached: _Reached, source: Source) -> bool:
    """Whether the model is run in a part of a function, or in what that calls."""
    names, inside = known_as(reached.function, reached.names), walk(node)
    if any(_runs(inner, names) for inner in inside):
        return True
    made = [one for one in inside if isinstance(one, ast.Call)]
    return any(_runs_in(one.function, one, source) for one in _passed_on(reached, reached.quiet, source, made))


@dataclass(frozen=True)
class _Reached:
    """A function of another file that the model comes to. quiet: no gradients are recorded around its call; looped: a
    loop is around it; off: its parameters that are None or False; over_data: what leads here goes over it."""

    function: ast.AST
    names: frozenset[str]
    quiet: bool
    looped: bool = False
    off: frozenset[str] = frozenset()
    hops: int = 0
    over_data: bool = False


def _evaluates(reached: _Reached, source: Source) -> bool:
    function = reached.function
    if (
        _may_open(reached, source)
        or (acts(function) and not reached.over_data)
        or any(True for _ in backwards(function))
    ):
        return False
    names = known_as(function, reached.names)
    if any(named(method(call)[0]) in names for call in calls(function, "half", "bfloat16")):
        return False  # it is half itself
    if any(_ENVIRONMENT.search(named(method(call)[0])) for call in calls(function, "step")):
        return False
    switched = {named(method(call)[0]) for call in calls(function, "eval")}
    quiet = reached.quiet or _NO_GRAD.search(unparsed(function)) is not None or bool(switched & names)
    quiet = quiet or (any(map(_is_many, names)) and bool(switched))
    run = (inner for inner in _repeated(function, reached.looped) if _runs(inner, names))
    dropped = {node.value for node in own(function) if isinstance(node, ast.Expr)}  # a warm-up, or statistics
    dropped = set() if "hook" in unparsed(function) else dropped
    if quiet and any(inner not in dropped and not is_a_trial(inner, function, source) for inner in run):
        return True
    return any(_evaluates(one, source) for one in _passed_on(reached, quiet, source))


def _repeated(function: ast.AST, looped: bool) -> Iterator[ast.AST]:
    """What a function does again and again: in its loops, or all of it where it is called in one."""
    if looped:
        yield from own(function)
        return
    for loop in own(function):
        if isinstance(loop, (*LOOPS, *COMPREHENSIONS)):
            yield from walk(loop)


def _all_reached(reached: _Reached, source: Source) -> Iterator[_Reached]:
    yield reached
    for one in _passed_on(reached, reached.quiet, source):
        yield from _all_reached(one, source)


def _is_many(name: str) -> bool:
    """Whether a name holds models in a list or by name."""
    return _MANY.search(name) is not None


def _runs(node: ast.AST, names: frozenset[str]) -> TypeGuard[ast.Call]:
    ran = model_of(node, set(names)) if isinstance(node, ast.Call) else ""
    return ran in names or (bool(ran) and ran.partition("[")[0] in names)


def _may_open(reached: _Reached, source: Source) -> bool:
    """Whether a region of the function may be on: one that is seen, or something that is named like one."""
    function = reached.function
    regions = source.regions_in(function)
    off = {one.opening for one in regions if _is_off(one, reached)}
    statements = [node for node in own(function) if isinstance(node, (ast.With, ast.AsyncWith))]
    openings = [item.context_expr for node in statements for item in node.items]
    entered = [*openings, *getattr(function, "decorator_list", ()), *calls(function, "enter_context")]
    return any(one not in off and LIKE_A_REGION.search(unparsed(one).replace("nullcontext", "")) for one in entered)


def _is_off(region: CoveredRegion, reached: _Reached) -> bool:
    return region.enabled is False or bool(switched_off_by(region, reached.function, reached.off))


def known_as(function: ast.AST, names: frozenset[str]) -> frozenset[str]:
    """The names that a model has in a function, besides those it comes under too."""
    found = set(names)
    for node in own(function):
        if isinstance(node, ast.Assign) and found & set(alternatives(node.value)):
            found.update(filter(None, map(named, node.targets)))
    return frozenset(found)


def _passed_on(
    reached: _Reached, quiet: bool, source: Source, made: Iterable[ast.AST] | None = None
) -> Iterator[_Reached]:
    """The functions that a function hands the model to, or reaches with the object that holds it. made: by which of
    its calls."""
    if reached.hops == _HOPS:
        return
    function, names = reached.function, known_as(reached.function, reached.names)
    roots = {name.partition(".")[0] for name in names}
    again = set(_repeated(function, reached.looped))
    over_data = reached.over_data or goes_over_data(function)
    inside = {one.name: one for one in own(function) if isinstance(one, ast.FunctionDef)}
    for call in own(function) if made is None else made:
        if not isinstance(call, ast.Call):
            continue
        looped = call in again
        if path(call.func) in inside:  # it sees the names of the function around it
            yield _Reached(inside[path(call.func)], names, quiet, looped, reached.off, reached.hops + 1, over_data)
        elif roots & {named(one).partition(".")[0] for one in (*handed_in(call), call.func)} - {""}:
            for to in source.called_in(function, call):
                inner = _inner(to, call, names)
                if inner and to.definition is not function:
                    off = off_parameters(call, to.definition, reached.off)
                    yield _Reached(to.definition, inner, quiet, looped, off, reached.hops + 1, over_data)


def _inner(to: CalledElsewhere, call: ast.Call, names: frozenset[str]) -> frozenset[str]:
    """What a called function knows models as: by a parameter, an attribute of its object, or of what it is handed."""
    places = [(parameter, handed_name(value)) for parameter, value in to.arguments.items()]
    places += [(f"self.{attribute}", handed_name(value)) for attribute, value in to.fields.items()]
    places += [("self", named(method(call)[0]) if isinstance(call.func, ast.Attribute) else named(call.func))]
    found = set()
    for inner, outer in places:
        for name in names if outer else ():
            if inner != "self" and (name == outer or is_piece(outer, name)):
                found.add(inner)
            elif name.startswith(f"{outer}."):
                found.add(f"{inner}{name[len(outer) :]}")
    return frozenset(found)
