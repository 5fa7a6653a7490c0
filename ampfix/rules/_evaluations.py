"""Calls that evaluate a model: without gradients, outside autocast, again and again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Role, Source
from ampfix.program.tree import unparsed, walk
from ampfix.rules._cpu import is_on_cpu
from ampfix.rules._models import named
from ampfix.rules._places import COMPREHENSIONS, are_alternatives
from ampfix.rules._shapes import (
    FUNCTIONS,
    LOOPS,
    backwards,
    calls,
    calls_of,
    function_of,
    inside,
    is_without_grad,
    loops,
    method,
    opener_of,
    own,
    path,
)
from ampfix.rules._shapes import regions_around as _regions_around
from ampfix.rules._training_data import is_trained_on
from ampfix.rules._trials import draws, is_a_trial
from ampfix.rules._without_gradients import records_none

LIKE_A_REGION = pattern(r"cast|(?<![a-z])amp|context|ctx|precision|region|half|fp16|bf16", re.IGNORECASE)
_EVALUATES = pattern(r"val|eval|test|infer|predict", re.IGNORECASE)
_ACTS = pattern(
    r"(^|_)(play|self_?play|rollouts?|act|explore|mcts|generate_round|collect_(rollout|trajectory|experience|episode)s?|"
    r"(get|select|choose|pick|sample|predict)_actions?)(_|$)",
    re.IGNORECASE,
)
_MEASURES = pattern(
    r"(^|_)(bench(mark)?|latency|throughput|fps|flops|macs|profile|export|onnx|warm_?up)(_|$)", re.IGNORECASE
)
_MOVES = ("make_move", "do_move", "play_move", "apply_move", "apply_action", "push_uci", "push_san")
_APART = pattern(
    r"pre_?(process|compute|cache|encode|extract)|relabel|pseudo_label|(^|_)(fp|float)_?32(_|$)", re.IGNORECASE
)
_DATA = pattern(r"loader|dataset|batches|(?<![a-z])dl\b", re.IGNORECASE)
_ENDS = (ast.Return, ast.Continue, ast.Raise)
_OCCASION = pattern(r"%|eval|valid|\bval|test|log|print|every|interval|freq", re.IGNORECASE)
_TRAINS = pattern(r"train|phase|mode|split|stage|is_tr|update|optimi[sz]er", re.IGNORECASE)


def scope_of(call: ast.Call, name: str, source: Source) -> ast.AST | None:
    """What evaluates the model of a name: the innermost loop, or where there is none, a function that a loop elsewhere
    calls (its name says so, it switches the model to evaluation, or it records no gradients, be it on a branch), or the
    statement that records none beside a loop that trains."""
    loop = next((around for around in inside(call, source) if isinstance(around, (*LOOPS, *COMPREHENSIONS))), None)
    if loop is not None:
        return _turn_of_training(loop, source) or loop
    function = function_of(call, source)
    called = getattr(function, "name", "")
    training = list(backwards(function))
    plain = records_none(call, source) or (bool(training) and _is_off_training(call, source))
    plain = plain or (not training and _is_switched_for_results(call, name, function))
    if not plain or called in ("forward", "__init__"):  # of a forward its caller decides
        return function if _EVALUATES.search(called) else None
    if not training:
        return function if isinstance(function, FUNCTIONS) else None
    if all(are_alternatives(call, one, source) for one in training):
        return function if isinstance(function, FUNCTIONS) else None
    trains_in_loops = all(any(isinstance(one, LOOPS) for one in inside(each, source)) for each in training)
    around = (one for one in inside(call, source) if isinstance(one, ast.With) and not is_without_grad(one, source))
    return next(around, None) if trains_in_loops or _follows_some_steps(call, training, source) else None


def _follows_some_steps(call: ast.Call, training: list[ast.Call], source: Source) -> bool:
    """Whether a function that a loop calls makes the call now and then, behind what trains."""
    if any(one.lineno > call.lineno for one in training) or not is_now_and_then(call, source):
        return False
    return any(loops(one, source) for one in calls_of(function_of(call, source), source))


def acts(function: ast.AST) -> bool:
    """Whether a function runs a model in an environment, or to measure or export it, as far as its name or the moves of
    a game say."""
    name = getattr(function, "name", "")
    is_one = is_acting(name) or _MEASURES.search(name) is not None or any(True for _ in calls(function, *_MOVES))
    return is_one and not goes_over_data(function)


def is_apart(function: ast.AST) -> bool:
    """Whether a function makes data of what a model returns, to train on later, or runs it in float32 on purpose, as
    far as its name says."""
    return _APART.search(getattr(function, "name", "")) is not None


def is_acting(name: str) -> bool:
    """Whether a name is that of code which runs a model in an environment."""
    return _ACTS.search(name) is not None


def goes_over_data(function: ast.AST) -> bool:
    """Whether a loop of a function goes over data, as none does that runs in an environment."""
    over = (unparsed(one.iter) for one in own(function) if isinstance(one, (ast.For, ast.AsyncFor)))
    return any(map(_DATA.search, over))


def _turn_of_training(loop: ast.AST, source: Source) -> ast.AST | None:
    """The loop around one without gradients of which each turn trains, where this one has no gradients by itself: it
    prepares what the turn trains on."""
    outer = [one for one in inside(loop, source) if isinstance(one, LOOPS)]
    if not outer or not is_without_grad(loop, source) or isinstance(loop, LOOPS[2:]):
        return None
    trains = (loops(one, source)[:1] == outer[:1] for one in backwards(outer[0]))
    return outer[0] if any(trains) else None


def is_evaluation(call: ast.Call, name: str, loop: ast.AST, source: Source) -> bool:
    function, around = function_of(call, source), regions_around(call, source)
    if _is_in_float32_by_choice(call, source):
        return False
    plain = records_none(call, source) or _is_off_training(call, source)
    if around or _may_be_covered(call, source) or not (plain or _is_switched(call, name, function, loop)):
        return False
    if isinstance(next(source.ancestors(call)), ast.Expr) and "hook" not in unparsed(function):
        return False  # statistics of a normalization, or a warm-up: nothing is made of the result
    if any(path(c.operand) == name and function_of(c.node, source) is function for c in source.half_casts):
        return False  # it is half itself
    if _trains_without_region(call, function, source) or acts(function) or is_apart(function):
        return False  # as it evaluates, or in an environment, whose observations are float32
    training = [*backwards(loop), *(one for one in calls(loop, "step") if not _is_schedule(one, source))]
    if (not training and _repeats_itself(loop, call)) or is_a_trial(call, function, source) or is_on_cpu(call, source):
        return False
    apart = plain and _is_on_occasion(call, name, loop, source)
    if not all(apart or (plain and _is_another_turn(call, other, source)) for other in training):
        return False
    if any(_is_covered_elsewhere(call, one, source) for one in (loop, function)):
        return False
    if loop is function and _prepares_training(function, source):
        return False
    if getattr(function, "name", None) in _reached_from_regions(source):
        return False
    return not is_trained_on(call, source)


def _is_in_float32_by_choice(call: ast.Call, source: Source) -> bool:
    """`with autocast("cuda", enabled=False): model(x.float())`."""
    found = _regions_around(call, source)
    casts = (one for given in call.args for one in walk(given) if method(one)[1] == "float")
    words = found[0].call.keywords if found and isinstance(found[0].call, ast.Call) else []
    off = (word for word in words if word.arg == "enabled" and isinstance(word.value, ast.Constant))
    return any(not word.value.value for word in off) and any(True for _ in casts)  # type: ignore[attr-defined]


def _is_covered_elsewhere(call: ast.Call, scope: ast.AST, source: Source) -> bool:
    """Whether another branch, the one for a GPU say, makes the call in a region, and not to train."""
    trains = any(True for _ in backwards(scope))
    for other in _calls_in(scope):
        if path(other.func) != path(call.func) or other is call or (trains and not is_without_grad(other, source)):
            continue
        if regions_around(other, source):
            ends = (one for one in inside(other, source) if isinstance(one, ast.If) and isinstance(one.body[-1], _ENDS))
            if are_alternatives(call, other, source) or any(True for _ in ends):
                return True
    return False


def _prepares_training(function: ast.AST, source: Source) -> bool:
    """Whether each turn of training calls a function in front of its backward: what it makes is trained on."""
    made = []
    for call in calls_of(function, source):
        around, caller = loops(call, source)[:1], function_of(call, source)
        behind = (one for one in backwards(caller) if one.lineno > call.lineno)
        trains = (loops(one, source)[:1] == around for one in behind)
        made.append(any(trains) and not is_now_and_then(call, source))
    return bool(made) and all(made)


def is_now_and_then(call: ast.Call, source: Source) -> bool:
    """Whether a test around a call says that it is made on occasion: `if step % 100 == 0`."""
    return any(isinstance(one, ast.If) and _OCCASION.search(unparsed(one.test)) for one in inside(call, source))


def regions_around(call: ast.AST, source: Source) -> list[CoveredRegion]:
    """The regions that may act on a call: none where the innermost is switched off in so many words."""
    found = _regions_around(call, source)
    return [] if found and found[0].enabled is False else found


def _may_be_covered(call: ast.AST, source: Source) -> bool:
    """Whether something around a call is named like a region, and where it comes from is not seen."""
    known = {region.opening for region in source.regions}
    return any(
        item.context_expr not in known and LIKE_A_REGION.search(unparsed(item.context_expr).replace("nullcontext", ""))
        for around in inside(call, source)
        for item in getattr(around, "items", ())
    )


def opens_its_own(source: Source) -> bool:
    """Whether a forward of this file runs under a region of its own."""
    for region in (one for one in source.regions if one.enabled is not False):
        around = (region.node, *inside(region.node, source))
        if any(getattr(node, "name", "") in ("forward", "__call__", "autocast") for node in around):
            return True
    return False


def _reached_from_regions(source: Source) -> set[str]:
    """The names of functions of this file that are called under a region, through other functions of it too."""
    known: dict[str, list[ast.AST]] = {}
    for function in source.nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        known.setdefault(getattr(function, "name", ""), []).append(function)
    pending = [region.node for region in source.regions if region.enabled is not False]
    reached = set[str]()
    while pending:
        here = pending.pop()
        found = {path(node.func).rpartition(".")[2] for node in own(here) if isinstance(node, ast.Call)}
        new = (found & known.keys()) - reached
        reached |= new
        pending += [function for one in new for function in known[one]]
    return reached


def _trains_without_region(call: ast.Call, function: ast.AST, source: Source) -> bool:
    """Whether the function around a call trains the same model, and neither it nor what it calls opens a region."""
    same = (node for node in own(function) if isinstance(node, ast.Call) and path(node.func) == path(call.func))
    if not any(True for _ in backwards(function)) or all(is_without_grad(node, source) for node in same):
        return False
    opening = {opener_of(region, source) for region in source.regions if region.enabled is not False}
    names = {getattr(one, "name", "") for one in opening}
    called = {path(node.func).rpartition(".")[2] for node in own(function) if isinstance(node, ast.Call)}
    return function not in opening and not names & called


def _is_schedule(step: ast.Call, source: Source) -> bool:
    """Whether a step is a schedule's, be it one of noise, or that of a progress bar."""
    receiver = method(step)[0]
    return source.held(receiver).role is Role.SCHEDULER or _NO_TRAINING.search(path(receiver)) is not None


def _is_on_occasion(call: ast.Call, name: str, loop: ast.AST, source: Source) -> bool:
    """Whether a loop that trains evaluates the model now and then: in between, it switches the model to evaluation, or
    records no gradients under a test that says so."""
    around = list(inside(call, source))
    around = around[: around.index(loop)] if loop in around else around
    for occasion in around:
        if not isinstance(occasion, ast.If):
            continue
        switched = any(
            named(method(switch)[0]) == name and method(switch)[1] == "eval" for switch in calls(occasion, "eval")
        )
        if switched or (_OCCASION.search(ast.unparse(occasion.test)) and is_without_grad(call, source)):
            return True
    return _was_switched(call, name, loop)


def _is_another_turn(call: ast.Call, training: ast.Call, source: Source) -> bool:
    """Whether a turn that makes the call leaves the training out, on another branch or as it ends before."""
    if are_alternatives(call, training, source):
        return True
    around = (one for one in inside(call, source) if isinstance(one, ast.If) and training.lineno > one.lineno)
    return any(isinstance(one.body[-1], _ENDS) and training not in walk(one) for one in around)


def _is_off_training(call: ast.Call, source: Source) -> bool:
    """`if training: ... else:`, of which the call stands in the else, and the region or the backward in the other."""
    inner: ast.AST = call
    for around in inside(call, source):
        if isinstance(around, ast.If) and any(inner is one for one in around.orelse):
            opened = {region.node for region in source.regions}
            trains = any(method(n)[1] == "backward" or n in opened for part in around.body for n in walk(part))
            if trains and _TRAINS.search(ast.unparse(around.test)):
                return True
        inner = around
    return False


def _is_switched(call: ast.Call, name: str, function: ast.AST, loop: ast.AST) -> bool:
    """Whether a function has put the model into evaluation in front of the call, outside what has a backward in it."""
    trains = any(True for _ in backwards(function)) and not isinstance(loop, (*LOOPS, *COMPREHENSIONS))
    if isinstance(function, ast.Module) or trains:
        return False
    return _was_switched(call, name, function)


def _was_switched(call: ast.Call, name: str, scope: ast.AST) -> bool:
    """Whether the last switch of the model in front of the call, in its loop or function, is one to evaluation."""
    switches = [s for s in calls(scope, "train", "eval") if named(method(s)[0]) == name and s.lineno < call.lineno]
    last = max(switches, key=lambda switch: switch.lineno, default=None)
    is_off = last is not None and bool(last.args) and isinstance(last.args[0], ast.Constant) and not last.args[0].value
    return last is not None and (method(last)[1] == "eval" or is_off)


def _is_switched_for_results(call: ast.Call, name: str, function: ast.AST) -> bool:
    """Whether a function switches the model to evaluation in front of the call, and asks for no gradients of what it
    returns."""
    gradients = (node for node in own(function) if isinstance(node, ast.Attribute) and _GRADIENTS.search(node.attr))
    return _is_switched(call, name, function, function) and not any(True for _ in gradients)


def _repeats_itself(loop: ast.AST, call: ast.Call) -> bool:
    """`for _ in range(5)`, as benchmarks warm up: the variable says nothing, and each turn runs the same data."""
    iterated, target = getattr(loop, "iter", None), path(getattr(loop, "target", None))
    is_range = isinstance(iterated, ast.Call) and path(iterated.func) == "range" and "len(" not in ast.unparse(iterated)
    statements = (one for one in walk(loop) if isinstance(one, (ast.Expr, ast.Assign)))
    is_used = draws(call) and not any(one.value is call for one in statements)  # another sample in each turn
    if not is_range or is_used or _fetches(loop, call):
        return False
    return not any(
        isinstance(node, ast.Name) and node.id == target and isinstance(node.ctx, ast.Load) for node in walk(loop)
    )


def _fetches(loop: ast.AST, call: ast.Call) -> bool:
    """Whether each turn has data of its own for the call: fetched (`x, y = next(batches)`), or what the turn before
    made (`tokens = torch.cat([tokens, token])`, `tokens.append(token)`)."""
    read = _names(call)
    grown = {path(method(one)[0]) for one in calls(loop, "append", "extend")}
    for node in reversed([one for one in walk(loop) if isinstance(one, ast.Assign)]):
        bound = {each for target in node.targets for each in _names(target)}
        if not bound & read:
            continue
        made = path(node.value.func) if isinstance(node.value, ast.Call) else ""
        if (bound | grown) & _names(node.value) or _NEXT.search(made):
            return True
        read |= _names(node.value)
    return False


_NO_TRAINING = pattern(r"sched|bar$", re.IGNORECASE)
_GRADIENTS = pattern(r"grad(?!_checkpoint|scaler|ient_checkpoint)", re.IGNORECASE)
_NEXT = pattern(r"next|batch|sample_data|generate|encode|tokeni")


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in walk(node) if isinstance(one, ast.Name)}


def _calls_in(loop: ast.AST) -> Iterator[ast.Call]:
    return (node for node in walk(loop) if isinstance(node, ast.Call))
