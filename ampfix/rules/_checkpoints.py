"""Where a file saves and restores the state of optimizers and scalers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from ampfix.program import Role, Source
from ampfix.program.tree import children, walk
from ampfix.records import dataclass
from ampfix.rules import _owners as owners
from ampfix.rules import _places as places

_TAKING = ("get", "pop")
_KEEPING = re.compile(r"save|load|restore|resume|state|checkpoint|ckpt", re.IGNORECASE)
_OPTIMIZER_IN_KEY = re.compile(r"optimizer|optim|opt")


@dataclass(frozen=True)
class Entry:
    """One `optimizer.state_dict()` that is stored, or one `optimizer.load_state_dict(...)`.

    call: that call. owner: the optimizer, as written. key: under which it lies in the checkpoint; empty where it has a
    file of its own or the key is not a literal. checkpoint: the dictionary it comes from, of a load. stem: what keeps
    the optimizer.
    """

    call: ast.Call
    owner: str
    key: str = ""
    checkpoint: str = ""
    stem: str = ""


@dataclass(frozen=True)
class Pair:
    """A scaler that steps an optimizer, as written, and the class it happens in.

    proven: it is a scaler for sure. built_in: the function of another file that makes and uses it, where one does.
    restored: it is not seen to step the optimizer here, but the file restores both from one checkpoint. inside: it
    belongs to an object of another file. stem: what keeps the optimizer, as far as this file shows.
    """

    scaler: str
    optimizer: str
    owner: ast.ClassDef | None
    proven: bool
    built_in: str = ""
    restored: bool = False
    inside: bool = False
    stem: str = ""


def stepping_pairs(source: Source) -> list[Pair]:
    """Who steps whom in this file."""
    found = []
    for call in places.all_methods_called(source, "step", "unscale_"):
        assert isinstance(call.func, ast.Attribute)
        arguments = [*call.args, *(k.value for k in call.keywords if k.arg == "optimizer")]
        held = source.held(call.func.value)
        if arguments and held.role is Role.SCALER:
            owner = places.class_of(call, source)
            optimizer, stem = places.spelled(arguments[0]), owners.stem(arguments[0], source)
            found.append(Pair(places.receiver(call), optimizer, owner, held.proven, stem=stem))
    return list(dict.fromkeys(found))


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
            is_near = place_of(entry.call, source) is place_of(call, source)
            if is_near and entry.checkpoint == places.spelled(taken.value):
                owner = places.class_of(call, source)
                yield Pair(places.receiver(call), entry.owner, owner, held.proven, restored=True, stem=entry.stem)


def names_of(pairs: list[Pair]) -> set[str]:
    """What stepped optimizers, or what keeps them, are called."""
    return {name for pair in pairs for name in (pair.optimizer.rpartition(".")[2], pair.stem) if name}


def concerns(pair: Pair, entry: Entry, source: Source) -> bool:
    """Whether the scaler steps this optimizer: the same name, or the same last part, and of related classes; or it is
    the parameter of a function that this file hands that optimizer."""
    if pair.inside and _keeps_holder(pair, entry, source):
        return False
    is_kept_alike = bool(pair.stem) and pair.stem == entry.stem
    if not is_kept_alike and pair.optimizer.rpartition(".")[2] != entry.owner.rpartition(".")[2]:
        return pair.optimizer in _handed(entry, source)
    here = places.class_of(entry.call, source)
    if "." not in pair.optimizer or here is None or pair.owner is None or _is_handed_in(entry, source):
        return True
    return bool(_family(here, source) & _family(pair.owner, source))


def _is_handed_in(entry: Entry, source: Source) -> bool:
    """Whether an optimizer is a parameter here, and so may be anybody's."""
    function = places.function_of(entry.call, source)
    return "." not in entry.owner and function is not None and entry.owner in _parameters(function)


def _keeps_holder(pair: Pair, entry: Entry, source: Source) -> bool:
    """Whether the function around keeps the object that holds the scaler by other means: `restore(self.amp, state)`."""
    function, holder = places.function_of(entry.call, source), pair.scaler.rpartition(".")[0]
    calls = (node for node in walk(function) if isinstance(node, ast.Call)) if function is not None else ()
    named = (call for call in calls if _KEEPING.search(places.spelled(call.func).rpartition(".")[2]))
    return any(holder in places.names_in(call) for call in named)


def _handed(entry: Entry, source: Source) -> set[str]:
    """What the calls of this file hand in for the parameter that an entry's optimizer is; empty where it is none."""
    function = places.function_of(entry.call, source)
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or places.class_of(function, source):
        return set()
    if entry.owner not in [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]:
        return set()
    given = (places.given_for(entry.owner, function, call) for call in places.calls_of(function, source))
    return {places.spelled(value) for value in given if value is not None}


def _family(definition: ast.ClassDef, source: Source) -> set[str]:
    """The names of a class and of those it inherits from, as far as this file shows them."""
    classes = {node.name: node for node in source.nodes((ast.ClassDef,)) if isinstance(node, ast.ClassDef)}
    found, pending = set[str](), [definition.name]
    while pending:
        name = pending.pop()
        if name not in found and name in classes:
            found.add(name)
            pending += [places.spelled(base) for base in classes[name].bases]
    return found


def saved(source: Source, stepped: Set[str] = frozenset()) -> Iterator[Entry]:
    """Optimizer states that are put into a checkpoint. stepped: what scalers step, by the last part of its name."""
    for call in places.all_methods_called(source, "state_dict"):
        if _is_optimizer(call, source, stepped) and not call.args:
            key = _key_of(call, source)
            if key is not None:
                yield Entry(call, places.receiver(call), key, stem=_stem_of(call, source))


def _is_optimizer(call: ast.Call, source: Source, stepped: Set[str]) -> bool:
    assert isinstance(call.func, ast.Attribute)
    is_stepped = places.receiver(call).rpartition(".")[2] in stepped or _stem_of(call, source) in stepped
    return is_stepped or source.held(call.func.value).role is Role.OPTIMIZER


def _stem_of(call: ast.Call, source: Source) -> str:
    return owners.stem(call.func.value, source) if isinstance(call.func, ast.Attribute) else ""


def _key_of(call: ast.expr, source: Source) -> str | None:
    """The key under which a value is stored; "" for a file of its own; None where it is not stored."""
    wrapped = (ast.IfExp, ast.List, ast.Tuple, *places.COMPREHENSIONS)
    holder = next(one for one in source.ancestors(call) if not isinstance(one, wrapped))
    if isinstance(holder, ast.Dict):
        keys = [key for key, value in zip(holder.keys, holder.values, strict=True) if call in walk(value)]
        return _text(keys[0]) if keys else ""
    if isinstance(holder, ast.keyword):
        return holder.arg or ""
    if isinstance(holder, ast.Assign) and isinstance(holder.targets[0], ast.Subscript):
        return _text(holder.targets[0].slice)
    if isinstance(holder, ast.Assign) and isinstance(holder.targets[0], ast.Name) and holder.value is call:
        return "" if _is_put_away(holder.targets[0].id, call, source) else None
    if _is_gathered(call, source):
        return "" if _saves(places.function_of(call, source) or source.tree, source) else None
    if isinstance(holder, ast.Call) and any(call in walk(one) for one in holder.args):
        states = [one for one in holder.args if isinstance(one, ast.Call) and _is_state(one)]
        saves = any(binding.symbol == "torch.save" for binding in source.resolve(holder.func))
        return "" if saves or len(states) > 1 else None
    return None


def _is_put_away(name: str, call: ast.expr, source: Source) -> bool:
    """Whether a state that a name holds goes into a dictionary, or is saved, further down."""
    function = places.function_of(call, source) or source.tree
    reads = (one for one in walk(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
    return any(
        one.id == name and one.lineno > call.lineno and _key_of(one, source) is not None and _saves(function, source)
        for one in reads
    )


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
        if not given or not _is_optimizer(call, source, stepped):
            continue
        value, owner, stem = given[0], places.receiver(call), _stem_of(call, source)
        if isinstance(value, ast.Subscript):
            yield Entry(call, owner, _text(value.slice), places.spelled(value.value), stem)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _TAKING:
            yield Entry(call, owner, _text(value.args[0] if value.args else None), places.receiver(value), stem)
        elif _is_loaded(value, source):
            yield Entry(call, owner, stem=stem)


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


@dataclass(frozen=True)
class Kept:
    """One state of a scaler that the file stores or restores. place: the dictionary or function that shows where."""

    key: str
    place: ast.AST | None
    beside_optimizer: bool


def kept(source: Source, method: str, entries: list[Entry], pairs: list[Pair]) -> list[Kept]:
    """Every scaler state the file saves (`state_dict`) or loads (`load_state_dict`). pairs: whose scalers those are."""
    scalers = {pair.scaler.rpartition(".")[2] for pair in pairs}
    places_of_entries = {place_of(entry.call, source) for entry in entries}
    found = []
    for call in places.all_methods_called(source, method):
        assert isinstance(call.func, ast.Attribute)
        receiver = places.receiver(call)
        is_named = "scaler" in receiver.lower() or receiver.rpartition(".")[2] in scalers
        if is_named or source.held(call.func.value).role is Role.SCALER:
            place = place_of(call, source)
            found.append(Kept(_kept_key(call, source), place, place in places_of_entries))
    return found


def _kept_key(call: ast.Call, source: Source) -> str:
    if call.args:  # of a load
        return _text(call.args[0].slice) if isinstance(call.args[0], ast.Subscript) else ""
    return _key_of(call, source) or ""


def place_of(call: ast.Call, source: Source) -> ast.AST | None:
    """The dictionary a state is put into, the loop that gathers it in a list, or else the function around."""
    for ancestor in places.within_function(call, source):
        if isinstance(ancestor, ast.Dict) or (isinstance(ancestor, ast.For) and _is_gathered(call, source)):
            return ancestor
    return places.function_of(call, source)


def is_complete(entry: Entry, states: list[Kept], source: Source) -> bool:
    """Whether a scaler's state joins this optimizer's, here or at a place from which it may come here."""
    around = {place_of(entry.call, source), places.function_of(entry.call, source)}
    return any(state.place in around or not state.beside_optimizer for state in states)


def scaler_key(optimizer_key: str) -> str:
    """A key for the scaler beside the optimizer's: `optimizer_state_dict` gives `scaler_state_dict`."""
    return (
        _OPTIMIZER_IN_KEY.sub("scaler", optimizer_key, count=1) if _OPTIMIZER_IN_KEY.search(optimizer_key) else "scaler"
    )


def in_reach(target: str, node: ast.AST, source: Source) -> bool:
    """Whether a name or `self.` attribute of this file is set where the node stands, as far as order tells."""
    root = target.partition(".")[0]
    holders = [one for one in source.ancestors(node) if isinstance(one, (*places.FUNCTIONS, ast.Module))]
    if (
        root != target
        and (owner := places.class_of(node, source)) is not None
        and root in places.first_parameters(owner)
    ):
        return target in places.assigned_in(owner)
    for holder in holders:
        if not isinstance(holder, ast.Module) and root in _parameters(holder):
            return True
        lines = [line for name, line in _own_assignments(holder) if name == root]
        if lines:
            return holder is not holders[0] or min(lines) < getattr(node, "lineno", 0)
    return False


def _parameters(function: ast.AST) -> set[str]:
    return {node.arg for node in walk(getattr(function, "args", function)) if isinstance(node, ast.arg)}


def _own_assignments(holder: ast.AST) -> Iterator[tuple[str, int]]:
    pending = list(children(holder))
    while pending:
        node = pending.pop()
        if isinstance(node, (*places.FUNCTIONS, ast.ClassDef)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        pending.extend(children(node))
