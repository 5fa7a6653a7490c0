"""Where a file saves and restores the state of optimizers and scalers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from ampfix.patterns import pattern
from ampfix.program import Role, Source
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules import _owners as owners
from ampfix.rules import _places as places
from ampfix.rules._elements import elements
from ampfix.rules._pairs import Pair
from ampfix.rules._shapes import handed_in

_TAKING = ("get", "pop")
_STORES = pattern(r"save|dump|checkpoint", re.IGNORECASE)
_FRAMEWORK = pattern(r"fabric|accelerator|engine|strategy|deepspeed", re.IGNORECASE)
_SCALER = pattern(r"scaler|\bamp\b", re.IGNORECASE)
_OPTIMIZER_IN_KEY = pattern(r"optimizer|optim|opt")
_DICTIONARIES = frozenset({"dict", "OrderedDict"})
_COPIES = pattern(r"copy|cpu|clone|detach|state|dict|convert|gather|serial", re.IGNORECASE)
_TRANSPARENT = (ast.IfExp, ast.BoolOp, ast.List, ast.Tuple, ast.comprehension, *places.COMPREHENSIONS)


@dataclass(frozen=True)
class Entry:
    """One `optimizer.state_dict()` that is stored, or one `optimizer.load_state_dict(...)`.

    node: that call, or the optimizer itself where it is stored as it is. owner: the optimizer, as written. key: under
    which it lies in the checkpoint; empty where it has a file of its own or the key is not a literal. checkpoint: the
    dictionary it comes from, of a load. stem: what keeps the optimizer. unlike: why a scaler's state cannot be put
    beside it in the same way; empty where it can.
    """

    node: ast.expr
    owner: str
    key: str = ""
    checkpoint: str = ""
    stem: str = ""
    unlike: str = ""


def restored_pairs(source: Source) -> Iterator[Pair]:
    """Scalers that a file restores from the checkpoint which its optimizers come from."""
    entries = list(restored(source))
    for call in places.all_methods_called(source, "load_state_dict"):
        assert isinstance(call.func, ast.Attribute)
        held = source.held(call.func.value)
        taken = call.args[0] if call.args else None
        if held.role is not Role.SCALER or not isinstance(taken, ast.Subscript):
            continue
        for entry in entries:
            is_near = place_of(entry.node, source) is place_of(call, source)
            if is_near and entry.checkpoint == places.spelled(taken.value):
                owner = places.class_of(call, source)
                yield Pair(places.receiver(call), entry.owner, owner, held.proven, restored=True, stem=entry.stem)


def handed_for(owner: str, at: ast.AST, source: Source) -> set[str]:
    """What the calls of this file hand in for the parameter that an optimizer is; empty where it is none."""
    function = places.function_of(at, source)
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or owner not in places.parameters(function):
        return set()
    given = (places.given_for(owner, function, call) for call in places.calls_of(function, source))
    return {places.spelled(one) for one in given if one is not None}


def saved(source: Source, stepped: Set[str] = frozenset()) -> Iterator[Entry]:
    """Optimizer states that are put into a checkpoint. stepped: what scalers step, by the last part of its name."""
    for call in places.all_methods_called(source, "state_dict"):
        for entry in _entries(call, source, stepped) if not call.args else ():
            for node, key in _stored_as(call, source):
                yield Entry(node, entry.owner, key, stem=entry.stem, unlike=entry.unlike)
    yield from _stored_whole(source, stepped) if stepped else ()


def _entries(call: ast.Call, source: Source, stepped: Set[str]) -> Iterator[Entry]:
    """The optimizers whose state a method saves or restores: its receiver, or all that a loop lets that stand for."""
    assert isinstance(call.func, ast.Attribute)
    receiver, stem = places.receiver(call), owners.stem(call.func.value, source)
    is_stepped = receiver.rpartition(".")[2] in stepped or stem in stepped
    several = [] if is_stepped or not stepped else elements(call.func.value, source)
    meant = [one for one in several if one.rpartition(".")[2] in stepped]
    if meant:
        unlike = f"{receiver} stands for several things in turn here; let {{}} be one of them"
        yield from (Entry(call, one, unlike=unlike) for one in meant)
    elif (
        is_stepped
        or source.held(call.func.value).role is Role.OPTIMIZER
        or (stepped and any(one.rpartition(".")[2] in stepped for one in handed_for(receiver, call, source)))
    ):
        yield Entry(call, receiver, stem=stem)


def _stored_whole(source: Source, stepped: Set[str]) -> Iterator[Entry]:
    """Optimizers that are put into a checkpoint as they are: `torch.save({"optimizer": optimizer}, path)`."""
    for holder in source.nodes((ast.Dict,)):
        assert isinstance(holder, ast.Dict)
        for key, value in zip(holder.keys, holder.values, strict=True):
            named = isinstance(value, (ast.Name, ast.Attribute)) and places.spelled(value).rpartition(".")[2] in stepped
            if named and _OPTIMIZER_IN_KEY.search(_text(key)) and _is_stored(holder, source):
                unlike = "the optimizer itself is kept here; keep the state of {} beside it"
                yield Entry(value, places.spelled(value), _text(key), stem=owners.stem(value, source), unlike=unlike)


def _is_stored(holder: ast.Dict, source: Source) -> bool:
    """Whether a dictionary without a scaler is handed to what stores it, on the spot or by its name."""
    around, function = next(source.ancestors(holder)), places.function_of(holder, source) or source.tree
    if isinstance(around, ast.Call):
        return holder in around.args and _stores(around) and not _SCALER.search(ast.unparse(around))
    name = places.spelled(around.targets[0]) if isinstance(around, ast.Assign) else ""
    if not name or _SCALER.search(ast.unparse(holder)):
        return False
    added = (one for one in walk(function) if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store))
    if any(places.spelled(one.value) == name and _SCALER.search(ast.unparse(one.slice)) for one in added):
        return False
    calls = (one for one in walk(function) if isinstance(one, ast.Call) and _stores(one))
    return any(isinstance(one, ast.Name) and one.id == name for call in calls for one in handed_in(call))


def _stores(call: ast.Call) -> bool:
    """Whether a call stores what it gets; a framework's also keeps the scaler that it made."""
    return _STORES.search(places.called(call)) is not None and not _FRAMEWORK.search(places.receiver(call))


def _key_of(value: ast.expr, source: Source) -> str | None:
    """The key under which a value is stored; "" for a file of its own; None where it is not stored."""
    key, inner = "", value
    for holder in source.ancestors(value):
        if isinstance(holder, ast.Dict):
            return next((_text(k) for k, v in zip(holder.keys, holder.values, strict=True) if v is inner), "")
        if isinstance(holder, ast.keyword):
            return holder.arg or ""
        if isinstance(holder, ast.Tuple) and len(holder.elts) == 2 and holder.elts[1] is inner:
            key = _text(holder.elts[0])
        if isinstance(holder, ast.Call) and inner is not holder.func and not _hands_back(holder, inner):
            is_dictionary = bool(key) and places.called(holder) in _DICTIONARIES
            return key if is_dictionary else _key_in_call(holder, value, inner, source)
        if isinstance(holder, ast.Assign):
            target = holder.targets[0]
            if isinstance(target, ast.Subscript):
                return _text(target.slice)
            return "" if isinstance(target, ast.Name) and _is_put_away(target.id, value, source) else None
        is_view = isinstance(holder, ast.Attribute) and holder.attr == "items"
        if not isinstance(holder, (*_TRANSPARENT, ast.Call)) and not is_view:
            return None
        inner = holder  # type: ignore[assignment]
    return None


def _hands_back(call: ast.Call, inner: ast.AST) -> bool:
    """Whether a call gives a state back, copied or converted: `copy.deepcopy(state)`."""
    name = places.called(call)
    return call.args == [inner] and name not in _DICTIONARIES and _COPIES.search(name) is not None


def _key_in_call(holder: ast.Call, value: ast.expr, inner: ast.AST, source: Source) -> str | None:
    if isinstance(holder.func, ast.Attribute) and holder.func.attr == "append" and inner is value:
        return "" if _saves(places.function_of(value, source) or source.tree, source) else None
    states = [one for one in holder.args if isinstance(one, ast.Call) and _is_state(one)]
    saves = any(binding.symbol == "torch.save" for binding in source.resolve(holder.func))
    return "" if saves or len(states) > 1 else None


def _is_put_away(name: str, value: ast.expr, source: Source) -> bool:
    """Whether a state that a name holds is saved further down."""
    return any(_key_of(one, source) is not None for one in _reads(name, value, source)) and _saves(
        places.function_of(value, source) or source.tree, source
    )


def _reads(name: str, value: ast.expr, source: Source) -> Iterator[ast.Name]:
    """Where a name is read behind the statement that gives it a value."""
    for one in walk(places.function_of(value, source) or source.tree):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id == name and one.lineno > value.lineno:
            yield one


def _stored_as(state: ast.expr, source: Source) -> Iterator[tuple[ast.expr, str]]:
    """What is stored, with its key: a state, or the name that it is given first and that goes into a dictionary."""
    name = _name_given(state, source)
    for read in _reads(name, state, source) if name else ():
        key = _key_of(read, source)
        if key and any(isinstance(one, ast.Dict) for one in places.within_function(read, source)):
            yield read, key
            return
    key = _key_of(state, source)
    if key is not None:
        yield state, key


def _name_given(value: ast.expr, source: Source) -> str:
    """The name that a statement gives to a value, or to one of its choices."""
    for holder in source.ancestors(value):
        if isinstance(holder, ast.Assign):
            return getattr(holder.targets[0], "id", "")
        if not isinstance(holder, (ast.IfExp, ast.BoolOp)):
            break
    return ""


def _is_gathered(call: ast.expr, source: Source) -> bool:
    holder = next(iter(source.ancestors(call)))
    return isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute) and holder.func.attr == "append"


def _saves(function: ast.AST, source: Source) -> bool:
    return any(
        binding.symbol == "torch.save"
        for call in places.methods_called(function, "save")
        for binding in source.resolve(call.func)
    )


def _is_state(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "state_dict"


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def restored(source: Source, stepped: Set[str] = frozenset()) -> Iterator[Entry]:
    """Optimizer states that are read back from a checkpoint."""
    for call in places.all_methods_called(source, "load_state_dict"):
        given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "state_dict")]
        for entry in _entries(call, source, stepped) if given else ():
            yield from _taken_from(given[0], entry, source)


def _taken_from(value: ast.expr, entry: Entry, source: Source) -> Iterator[Entry]:
    """Where a state that an optimizer gets comes from; nothing where it is no checkpoint."""
    call, owner, stem, unlike = entry.node, entry.owner, entry.stem, entry.unlike
    if isinstance(value, ast.Subscript):
        yield Entry(call, owner, _text(value.slice), places.spelled(value.value), stem, unlike)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _TAKING:
        key = _text(value.args[0] if value.args else None)
        yield Entry(call, owner, key, places.receiver(value), stem, unlike)
    elif _is_loaded(value, source):
        yield Entry(call, owner, stem=stem, unlike=unlike)


def _is_loaded(value: ast.expr, source: Source) -> bool:
    """Whether a state is a file's content, or comes out of a dictionary: set so above, or by the loop around."""
    if not isinstance(value, ast.Name):
        return _is_read(value, source)
    looped = [taken for target, taken in owners.loops(value, source) if places.spelled(target) == value.id]
    function = places.function_of(value, source)
    if looped or function is None:
        return any(isinstance(taken, ast.Subscript) for taken in looped) or _is_read(value, source)
    set_here = [one.value for one in walk(function) if isinstance(one, ast.Assign) and value.id in _targets(one)]
    return any(_is_taken_out(one) or _is_read(one, source) for one in set_here) or _is_read(value, source)


def _is_read(value: ast.expr, source: Source) -> bool:
    return any(binding.symbol == "torch.load" for binding in source.resolve(value))


def _is_taken_out(value: ast.expr) -> bool:
    """`checkpoint["optimizer"]`, `checkpoint.get("optimizer")` or `.pop`."""
    if isinstance(value, ast.Subscript):
        return bool(_text(value.slice))
    called = value.func if isinstance(value, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in _TAKING


def _targets(node: ast.Assign) -> list[str]:
    return [places.spelled(one) for target in node.targets for one in getattr(target, "elts", [target])]


def place_of(node: ast.AST, source: Source) -> ast.AST | None:
    """The dictionary a state is put into, the loop that gathers it in a list, or else the function around."""
    for ancestor in places.within_function(node, source):
        if isinstance(ancestor, ast.Dict):
            return ancestor
        if isinstance(ancestor, ast.For) and isinstance(node, ast.expr) and _is_gathered(node, source):
            return ancestor
    return places.function_of(node, source)


def extended(node: ast.AST, source: Source) -> ast.AST | None:
    """The dictionary, written out above, that a state is added to later: `state["optimizer"] = ...`."""
    around, function = places.statement_of(node, source), places.function_of(node, source) or source.tree
    target = around.targets[0] if isinstance(around, ast.Assign) else None
    if not isinstance(target, ast.Subscript):
        return None
    name = places.spelled(target.value)
    made = (one for one in walk(function) if isinstance(one, ast.Assign) and isinstance(one.value, ast.Dict))
    return next((one.value for one in made if name in map(places.spelled, one.targets)), None)


def key_of_state(call: ast.Call, source: Source) -> str:
    """The key of a scaler's state: that it is saved under, or taken from by `load_state_dict(checkpoint[key])`."""
    if call.args:
        return _text(call.args[0].slice) if isinstance(call.args[0], ast.Subscript) else ""
    return _key_of(call, source) or ""


def scaler_key(optimizer_key: str) -> str:
    """A key for the scaler beside the optimizer's: `optimizer_state_dict` gives `scaler_state_dict`."""
    return (
        _OPTIMIZER_IN_KEY.sub("scaler", optimizer_key, count=1) if _OPTIMIZER_IN_KEY.search(optimizer_key) else "scaler"
    )
