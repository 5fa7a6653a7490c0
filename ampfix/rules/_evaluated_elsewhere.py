"""Models that this file hands to functions and objects of other files, which evaluate them or train them there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import PurePath
from typing import TypeGuard

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import unparsed, walk
from ampfix.records import replace
from ampfix.rules._evaluations import LIKE_A_REGION, acts, goes_over_data, is_acting, is_apart, regions_around
from ampfix.rules._handed_models import HandedModel, is_many
from ampfix.rules._models import model_of, named
from ampfix.rules._reached import (
    Reached,
    all_reached,
    each_turn_trains,
    known_as,
    leads_on,
    passed_on,
    reached_by,
    repeated,
)
from ampfix.rules._region_switches import switched_off_by
from ampfix.rules._shapes import backwards, calls, function_of, handed_in, inside, loops, method, own
from ampfix.rules._training_data import is_trained_on
from ampfix.rules._trials import is_a_trial

_CALIBRATES = pattern(r"calib|quant", re.IGNORECASE)  # the ranges of activations are collected in float32
_ENVIRONMENT = pattern(r"(^|[._])(\w*envs?|environment|game|board|simulator)$", re.IGNORECASE)


_NO_GRAD = pattern(r"no_grad|inference_mode")
_OBJECTIVE = pattern(r"loss|criterion|objective|forward|predict", re.IGNORECASE)


def is_evaluated(handed: HandedModel, source: Source, shown_by: Source | None = None) -> bool:
    """Whether the function runs the model in a loop, without gradients and without a region, and the call has none.
    shown_by: the file that shows the function, where that is another one."""
    function = handed.to.definition
    caller = function_of(handed.call, source)
    if regions_around(handed.call, source) or _CALIBRATES.search(function.name):
        return False
    if acts(caller) or is_apart(function) or is_apart(caller):
        return False
    over_data = goes_over_data(function) or goes_over_data(caller)
    if is_acting(PurePath(handed.to.path).stem) and not over_data:
        return False
    if _is_part_of_a_turn(handed.call, source):
        return False
    return evaluates(reached_by(handed, source), shown_by or source) and not is_trained_on(handed.call, source)


def evaluates(reached: Reached, source: Source) -> bool:
    """Whether a function, or what it calls, evaluates the model without a region, and trains nothing."""
    if not _evaluates(reached, source):
        return False
    return not any(any(True for _ in backwards(one.function)) for one in all_reached(reached, source))


def _is_part_of_a_turn(call: ast.Call, source: Source) -> bool:
    """Whether each turn of a loop that trains makes the call: what it makes is trained on."""
    around = loops(call, source)[:1]
    if not around or not each_turn_trains(around[0], source):
        return False
    return not any(isinstance(one, ast.If) for one in takewhile(lambda one: one is not around[0], inside(call, source)))


def evaluated_on_the_way(handed: HandedModel, source: Source) -> Iterator[ast.FunctionDef]:
    """The functions by which a training function evaluates the model through an object that is handed to it here: its
    own file does not show them."""
    return _hidden_evaluations(reached_by(handed, source), source)


def _hidden_evaluations(reached: Reached, source: Source) -> Iterator[ast.FunctionDef]:
    statements = [node for node in own(reached.function) if isinstance(node, (ast.With, ast.AsyncWith))]
    opened = (node for node in statements if any(map(LIKE_A_REGION.search, map(unparsed, _entered(node)))))
    covered = {inner for node in opened for inner in walk(node)}
    for one in passed_on(
        reached, reached.quiet, source, [node for node in own(reached.function) if node not in covered]
    ):
        if not one.hidden:
            yield from _hidden_evaluations(one, source)
        elif evaluates(one, source):
            yield one.function  # type: ignore[misc]


def _entered(statement: ast.With | ast.AsyncWith) -> list[ast.expr]:
    return [item.context_expr for item in statement.items]


def is_told_here(handed: HandedModel, source: Source) -> bool:
    """Whether the function evaluates without a region because of what this call hands in: its own file shows none."""
    return not _evaluates(replace(reached_by(handed, source), off=frozenset()), source)


def is_told_there(evaluated: HandedModel, trainer: HandedModel, source: Source) -> bool:
    """Whether one other file trains and evaluates the model, and shows that by itself."""
    return trainer.to.path == evaluated.to.path and not is_told_here(evaluated, source)


def trains_in_region(handed: HandedModel, source: Source) -> ast.expr | None:
    """The expression that opens the region in which the function, or one that it calls, runs the model it trains."""
    if not trains_there(handed, source):
        return None
    for reached in all_reached(reached_by(handed, source), source):
        for region in source.regions_in(reached.function):
            if (
                not _is_off(region, reached)
                and not _is_quiet(region, reached)
                and _runs_in(region.node, reached, source)
            ):
                return region.opening
    return None


def _is_quiet(region: CoveredRegion, reached: Reached) -> bool:
    """Whether a region records no gradients, as that of an evaluation."""
    around = [one for one in own(reached.function) if isinstance(one, (ast.With, ast.AsyncWith))]
    entered = [opened for one in around if region.node in walk(one) for opened in _entered(one)]
    decorators = getattr(reached.function, "decorator_list", [])
    return reached.quiet or any(_NO_GRAD.search(unparsed(one)) for one in (*entered, *decorators))


def trains_there(handed: HandedModel, source: Source) -> bool:
    """Whether the function, or what it calls, runs a backward."""
    return any(any(True for _ in backwards(one.function)) for one in all_reached(reached_by(handed, source), source))


def is_run(handed: HandedModel, source: Source) -> bool:
    """Whether the function runs the model, or what it calls does."""
    return _runs_in(handed.to.definition, reached_by(handed, source), source)


def _runs_in(node: ast.AST, reached: Reached, source: Source) -> bool:
    """Whether the model is run in a part of a function, or in what that calls."""
    names, inside = known_as(reached.function, reached.names), walk(node)
    if any(_runs(inner, names) for inner in inside):
        return True
    made = [one for one in inside if isinstance(one, ast.Call)]
    return any(_runs_in(one.function, one, source) for one in passed_on(reached, reached.quiet, source, made))


def _evaluates(reached: Reached, source: Source) -> bool:
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
    quiet = reached.quiet or bool(switched & names) or (any(map(is_many, names)) and bool(switched))
    quiet = quiet or _NO_GRAD.search(unparsed(function)) is not None
    made = (one for one in repeated(function, reached.looped) if isinstance(one, ast.Call)) if quiet else ()
    run = [one for one in made if _runs(one, names) or _is_handed_to_objective(one, names, reached, source)]
    if run:
        dropped = {node.value for node in own(function) if isinstance(node, ast.Expr)}  # a warm-up, or statistics
        dropped = set() if "hook" in unparsed(function) else dropped
        if any(inner not in dropped and not is_a_trial(inner, function, source) for inner in run):
            return True
    return any(_evaluates(one, source) for one in passed_on(reached, quiet, source))


def _runs(node: ast.AST, names: frozenset[str]) -> TypeGuard[ast.Call]:
    ran = model_of(node, set(names)) if isinstance(node, ast.Call) else ""
    return ran in names or (bool(ran) and ran.partition("[")[0] in names)


def _is_handed_to_objective(call: ast.Call, names: frozenset[str], reached: Reached, source: Source) -> bool:
    """Whether something that is not seen runs the model, as its name says: `diffusion.loss_at(x, t, model=model)`."""
    given = handed_in(call)
    if len(given) < 2 or not _OBJECTIVE.search(last_name(call.func)):
        return False
    return any(named(one) in names for one in given) and not leads_on(call, reached, source)


def _may_open(reached: Reached, source: Source) -> bool:
    """Whether a region of the function may be on: one that is seen, or something that is named like one."""
    function = reached.function
    regions = source.regions_in(function)
    off = {one.opening for one in regions if _is_off(one, reached)}
    statements = [node for node in own(function) if isinstance(node, (ast.With, ast.AsyncWith))]
    openings = [item.context_expr for node in statements for item in node.items]
    entered = [*openings, *getattr(function, "decorator_list", ()), *calls(function, "enter_context")]
    return any(one not in off and LIKE_A_REGION.search(unparsed(one).replace("nullcontext", "")) for one in entered)


def _is_off(region: CoveredRegion, reached: Reached) -> bool:
    return region.enabled is False or bool(switched_off_by(region, reached.function, reached.off))
