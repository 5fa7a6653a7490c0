"""Functions of other files that store or restore the state of an optimizer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from ampfix.patterns import pattern
from ampfix.program import CalledElsewhere, Role, Source
from ampfix.program.arity import accepts
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules import _owners as owners
from ampfix.rules import _pairs as pairs
from ampfix.rules import _places as places
from ampfix.rules._pairs import Pair
from ampfix.rules._shapes import handed_in, looks_like_a_model

_OF_SCALERS = pattern(r"scaler|\bamp\b", re.IGNORECASE)
_WRITES = pattern(r"save|dump|write", re.IGNORECASE)
_KEPT_BESIDE = pattern(
    r"(scaler|(^|_)amp)_?\w*(state|load|save|restore)|(state|load|save|restore)\w*_(scaler|amp)", re.I
)
_VIEWS = ("items", "values")
_OF_A_WRAPPER = ("state_dict", "load_state_dict")  # of an object that is itself saved and restored


@dataclass(frozen=True)
class Handed:
    """A call of a function in another file that keeps an optimizer's state, or the base class whose method does. verb:
    what happens to it there."""

    call: ast.expr
    owner: str
    verb: str
    to: CalledElsewhere


def handed_on(source: Source, stepped: Set[str]) -> Iterator[Handed]:
    """The calls that leave a scaler behind. stepped: what scalers step, by the last part of its name."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        hands_over = any(pairs.last(one) in stepped or _is_self(one) for one in handed_in(call))
        if not (hands_over or pairs.KEEPS.search(places.called(call))):
            continue
        if any(_KEPT_BESIDE.search(places.called(one)) for one in _beside(call, source)):
            continue
        if _keeps_scaler_alike(call, stepped, source):
            continue
        names_scaler = _OF_SCALERS.search(ast.unparse(call)) is not None
        for to in source.called_elsewhere(call):
            if (names_scaler and not _ignores(to)) or not accepts(to.definition, call):
                continue
            inside = list(pairs.reached(to))
            if any(map(_speaks_of_scalers, inside)) and (names_scaler or not _leaves_out(call, to)):
                continue
            for owner, verb in dict.fromkeys(kept for one in inside for kept in _kept(one)):
                if owner.rpartition(".")[2] in stepped:
                    yield Handed(call, owner, verb, to)


def may_keep(source: Source) -> bool:
    """Whether the state of an optimizer may be kept without a scaler's, in a file that shows no step of one: here, or
    by a function of another file that is handed it."""
    if "caler" in source.text:
        return True
    states = places.all_methods_called(source, "state_dict", "load_state_dict")
    if any(_may_be_optimizer(call, source) for call in states) or any(map(_keeps_whole, source.nodes((ast.Dict,)))):
        return True
    handing = (call for call in source.nodes((ast.Call,)) if isinstance(call, ast.Call) and _may_hand_over(call))
    reached = (one for call in handing for to in source.called_elsewhere(call) for one in pairs.reached(to))
    return any(any(True for _ in _kept(one)) for one in reached)


def _may_be_optimizer(state: ast.Call, source: Source) -> bool:
    """Whether what a state is taken of may be an optimizer: not a model by its name, nor an attribute that says nothing
    of one."""
    assert isinstance(state.func, ast.Attribute)
    node, name = state.func.value, places.receiver(state)
    if pairs.NAMES_ONE.search(f"{name} {owners.stem(node, source)}") or isinstance(node, ast.Subscript):
        return True
    if isinstance(node, ast.Attribute):
        return source.held(node).role is Role.OPTIMIZER
    return isinstance(node, ast.Name) and not looks_like_a_model(name)


def _keeps_whole(holder: ast.AST) -> bool:
    """Whether a dictionary keeps an optimizer as it is."""
    assert isinstance(holder, ast.Dict)
    texts = (getattr(key, "value", None) for key in holder.keys)
    return any(isinstance(text, str) and "opt" in text for text in texts)


def _may_hand_over(call: ast.Call) -> bool:
    given = handed_in(call)
    return pairs.KEEPS.search(places.called(call)) is not None or any(
        _is_self(one) or pairs.NAMES_ONE.search(pairs.last(one)) for one in given
    )


def _keeps_scaler_alike(call: ast.Call, stepped: Set[str], source: Source) -> bool:
    """Whether the same function keeps one thing a call, and another call hands it a scaler."""
    alike = (one for one in source.calls_to(places.called(call)) if one is not call)
    return any(
        any(_OF_SCALERS.search(pairs.last(given)) for given in handed_in(one))
        and not any(pairs.last(given) in stepped for given in handed_in(one))
        for one in alike
    )


def _is_self(node: ast.expr) -> bool:
    """Whether an object hands itself on, and all that it keeps: `callback.on_epoch_end(self)`."""
    return isinstance(node, ast.Name) and node.id == "self"


def inherited(source: Source, pair: Pair) -> Iterator[Handed]:
    """The methods of base classes in other files, not overridden here, that keep the state of the optimizer alone."""
    if pair.owner is None or pair.scaler not in places.assigned_in(pair.owner):
        return
    own = {one.name for one in pair.owner.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for base in pair.owner.bases:
        for to in source.methods_elsewhere(base):
            if to.definition.name in (*own, *_OF_A_WRAPPER) or any(map(_speaks_of_scalers, pairs.reached(to))):
                continue
            for owner, verb in dict.fromkeys(_kept(to)):
                if owner == pair.optimizer:
                    yield Handed(base, owner, verb, to)


def _beside(call: ast.Call, source: Source) -> Iterator[ast.Call]:
    """The other calls of the function around one: `self.load_amp_state(found["amp"])`."""
    function = places.function_of(call, source)
    return (one for one in walk(function) if isinstance(one, ast.Call) and one is not call) if function else iter(())


def _speaks_of_scalers(to: CalledElsewhere) -> bool:
    return any(_OF_SCALERS.search(ast.unparse(statement)) for statement in to.definition.body)


def _ignores(to: CalledElsewhere) -> bool:
    """Whether a function gets a scaler, and never looks at it."""
    given = [name for name, value in to.arguments.items() if _OF_SCALERS.search(ast.unparse(value))]
    own = {one.arg for one in (*to.definition.args.args, *to.definition.args.kwonlyargs)}
    return bool(given) and own >= set(given) and not set(given) & places.names_in(to.definition)


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


def _kept(to: CalledElsewhere) -> Iterator[tuple[str, str]]:
    """What the function saves or restores the state of, as the calling file writes it, with "saved" or "restored"."""
    writes = any(isinstance(node, ast.Call) and _WRITES.search(places.called(node)) for node in walk(to.definition))
    for method, verb in (("load_state_dict", "restored"), ("state_dict", "saved" if writes else "")):
        for call in places.methods_called(to.definition, method) if verb else ():
            assert isinstance(call.func, ast.Attribute)
            for name in _meant(call.func.value, to):
                yield name, verb


def _meant(node: ast.expr, to: CalledElsewhere) -> Iterator[str]:
    """How the calling file writes an expression of the function, or what a loop over further keywords makes of it."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        yield to.named(node) or ""
    for collection in _collections(node, to.definition):
        yield to.named(collection) or ""
    further = to.definition.args.kwarg
    if isinstance(node, ast.Name) and further is not None and node.id in _loop_targets(to.definition, further.arg):
        own = {one.arg for one in (*to.definition.args.args, *to.definition.args.kwonlyargs)}
        yield from (places.spelled(value) for name, value in to.arguments.items() if name not in own)


def _collections(node: ast.expr, function: ast.AST) -> Iterator[ast.expr]:
    """What loops take a name from, one by one."""
    loops = (
        one for one in walk(function) if isinstance(node, ast.Name) and isinstance(one, (ast.For, ast.comprehension))
    )
    for loop in loops:
        if getattr(node, "id", "") in places.names_in(loop.target):
            yield from (one for one in _taken(loop.iter) if isinstance(one, (ast.Name, ast.Attribute)))


def _taken(iterable: ast.expr) -> list[ast.expr]:
    """What a loop goes through: a list, the values of a dictionary, or several side by side."""
    if not isinstance(iterable, ast.Call):
        return [iterable]
    is_view = isinstance(iterable.func, ast.Attribute) and iterable.func.attr in _VIEWS
    return [iterable.func.value] if is_view else iterable.args  # type: ignore[attr-defined]


def _loop_targets(function: ast.AST, collection: str) -> set[str]:
    """The names that loops over a collection set."""
    loops = (node for node in walk(function) if isinstance(node, (ast.For, ast.comprehension)))
    views = {collection, *(f"{collection}.{view}()" for view in _VIEWS)}
    return {name for loop in loops if places.spelled(loop.iter) in views for name in places.names_in(loop.target)}
