"""Which scaler steps which optimizer: what a checkpoint has to keep together."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from ampfix.patterns import pattern
from ampfix.program import CalledElsewhere, Role, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.records import dataclass, replace
from ampfix.rules import _makers as makers
from ampfix.rules import _owners as owners
from ampfix.rules import _places as places
from ampfix.rules._handed_none import is_never_handed
from ampfix.rules._shapes import handed_in

KEEPS = pattern(r"save|load|restore|resume|checkpoint|ckpt", re.IGNORECASE)
_OPTIMIZER = pattern(r"opt", re.IGNORECASE)
NAMES_ONE = pattern(r"optim|(?:\b|_)opt(?!ion)", re.IGNORECASE)
_DOTTED = pattern(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_STEPS = frozenset({EventKind.SCALER_STEP, EventKind.UNSCALE})
_WRAPPER = "NativeScaler"  # of timm.utils: called with a loss and an optimizer


@dataclass(frozen=True)
class Pair:
    """A scaler that steps an optimizer, as written, and the class it happens in.

    proven: it is a scaler for sure. built_in: the function of another file that makes and uses it, where one does.
    restored: it is not seen to step the optimizer here, but the file restores both from one checkpoint. inside: it
    belongs to an object of another file. stem: what keeps the optimizer, as far as this file shows. function: the one
    that steps, or calls what does. beside: the object that keeps both is known in that function alone.
    """

    scaler: str
    optimizer: str
    owner: ast.ClassDef | None
    proven: bool
    built_in: str = ""
    restored: bool = False
    inside: bool = False
    stem: str = ""
    function: ast.AST | None = None
    beside: bool = False


def stepping(source: Source, may_matter: Callable[[Source], bool]) -> list[Pair]:
    """Who steps whom: in this file, in functions that it calls, and in objects that it keeps. Where nobody is seen to,
    whom a scaler that is built here can only be for. may_matter: asked before steps are followed through every call of
    a file that shows none."""
    written = list(_written(source))
    found = list(dict.fromkeys([*(pair for pair, _ in written), *_elsewhere(source)]))
    followed = _followed(source) if found or may_matter(source) else ()
    for further in (_from_callers(written, source), followed, _beside(source)):
        known = {(pair.scaler, pair.optimizer) for pair in found}
        found += [pair for pair in dict.fromkeys(further) if (pair.scaler, pair.optimizer) not in known]
    return found or list(dict.fromkeys(_built_for(source)))


def names_of(pairs: list[Pair]) -> set[str]:
    """What stepped optimizers, or what keeps them, are called."""
    return {name for pair in pairs for name in (pair.optimizer.rpartition(".")[2], pair.stem) if name}


def _written(source: Source) -> Iterator[tuple[Pair, ast.Call]]:
    """The steps in this file, under the names that they have there."""
    for call in places.all_methods_called(source, "step", "unscale_"):
        assert isinstance(call.func, ast.Attribute)
        arguments = [*call.args, *(k.value for k in call.keywords if k.arg == "optimizer")]
        held = source.held(call.func.value)
        if arguments and held.role is Role.SCALER and not is_never_handed(call, source):
            yield _pair(places.receiver(call), arguments[0], call, source, proven=held.proven), call
    for call in _calls_of_wrappers(source):
        taken = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "optimizer")]
        if taken:
            yield _pair(places.spelled(call.func), taken[0], call, source, proven=True), call


def _pair(scaler: str, optimizer: ast.expr, call: ast.Call, source: Source, *, proven: bool) -> Pair:
    owner, stem = places.class_of(call, source), owners.stem(optimizer, source)
    function = places.function_of(call, source)
    return Pair(scaler, places.spelled(optimizer), owner, proven, stem=stem, function=function)


def _from_callers(written: list[tuple[Pair, ast.Call]], source: Source) -> Iterator[Pair]:
    """The same steps under the names that the callers of their functions hand in."""
    pending, seen = written, set[tuple[str, str, ast.AST | None]]()
    while pending:
        (pair, at), *pending = pending
        function = places.function_of(at, source)
        key = (pair.scaler, pair.optimizer, function)
        if key in seen or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        seen.add(key)
        names = places.parameters(function)
        if pair.optimizer in names:
            for call in places.calls_of(function, source):
                optimizer = places.given_for(pair.optimizer, function, call)
                scaler = places.given_for(pair.scaler, function, call)
                if scaler is None and pair.scaler not in names:
                    scaler = ast.Name(pair.scaler, ast.Load())
                if isinstance(optimizer, (ast.Name, ast.Attribute)) and isinstance(scaler, (ast.Name, ast.Attribute)):
                    proven = pair.proven
                    outer = _pair(places.spelled(scaler), optimizer, call, source, proven=proven)
                    yield outer
                    pending.append((outer, call))


def _built_for(source: Source) -> Iterator[Pair]:
    """Scalers that something else steps with: the optimizers of the same object, or of the function that builds one
    and hands it on. A guess."""
    states = [*places.all_methods_called(source, "state_dict", "load_state_dict")]
    for built in source.scalers if len(source.scalers) == 1 else ():
        owner, function = places.class_of(built.node, source), places.function_of(built.node, source)
        if not built.target or not (_is_used_as_field if "." in built.target else _is_handed_on)(built.target, source):
            continue
        for call in states:
            assert isinstance(call.func, ast.Attribute)
            same = (
                places.class_of(call, source) is owner
                if "." in built.target
                else (places.function_of(call, source) is function)
            )
            if same and source.held(call.func.value).role is Role.OPTIMIZER:
                yield Pair(built.target, places.receiver(call), owner, proven=False)


def _is_used_as_field(path: str, source: Source) -> bool:
    """Whether this file, or another of a small project, calls what a scaler does on an attribute of this name, or hands
    that on."""
    uses = rf"\b{re.escape(path.rpartition('.')[2])}(?:\.(?:scale|step|unscale_|update)\b|\s*[,)])"
    return bool(re.search(uses, source.text)) or source.in_project(re.compile(uses.encode())) is True


def _is_handed_on(name: str, source: Source) -> bool:
    calls = (one for one in source.nodes((ast.Call,)) if isinstance(one, ast.Call))
    return any(isinstance(one, ast.Name) and one.id == name for call in calls for one in handed_in(call))


def _calls_of_wrappers(source: Source) -> Iterator[ast.Call]:
    if _WRAPPER not in source.text:
        return
    for call in source.nodes((ast.Call,)):
        if isinstance(call, ast.Call) and isinstance(call.func, (ast.Name, ast.Attribute)):
            held = source.resolve(call.func) if len(call.args) + len(call.keywords) > 1 else ()
            if any(one.symbol.startswith("timm.") and one.symbol.endswith(f".{_WRAPPER}") for one in held):
                yield call


def _elsewhere(source: Source) -> Iterator[Pair]:
    """The steps in functions of other files, which get optimizer and scaler, or have or make the scaler."""
    keepers = set(_keepers(source))
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        holder = places.receiver(call)
        if holder in keepers or any(_OPTIMIZER.search(last(one)) for one in handed_in(call)):
            for to in source.called_elsewhere(call):
                yield from _steps_in(to, call, source)


def _keepers(source: Source) -> Iterator[str]:
    """The objects that are handed an optimizer where they are built: `trainer = Trainer(model, optimizer)`."""
    for node in source.nodes((ast.Assign,)):
        assert isinstance(node, ast.Assign)
        built = node.value if isinstance(node.value, ast.Call) else None
        if built is not None and any(_OPTIMIZER.search(last(one)) for one in handed_in(built)):
            yield places.spelled(node.targets[0])


def _steps_in(to: CalledElsewhere, call: ast.Call, source: Source) -> Iterator[Pair]:
    for inside in reached(to):
        for step in places.methods_called(inside.definition, "step", "unscale_"):
            optimizer = inside.named(step.args[0]) if step.args else None
            if optimizer is not None and _DOTTED.fullmatch(optimizer):
                yield from _stepper(step, optimizer, call, inside, source)


def _beside(source: Source) -> Iterator[Pair]:
    """Scalers that objects of other files keep beside an optimizer whose state this file keeps: `trainer.optimizer`."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        for optimizer in _whose_state(call):
            if isinstance(optimizer, ast.Attribute) and _OPTIMIZER.search(optimizer.attr):
                for name in source.scalers_beside(optimizer):
                    scaler = f"{places.spelled(optimizer.value)}.{name}"
                    pair = _pair(scaler, optimizer, call, source, proven=True)
                    yield replace(pair, inside=True, beside=True)


def _whose_state(call: ast.Call) -> list[ast.expr]:
    """What a call may save or restore the state of."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("state_dict", "load_state_dict"):
        return [call.func.value]
    return handed_in(call) if KEEPS.search(places.called(call)) else []


def _stepper(step: ast.Call, optimizer: str, call: ast.Call, to: CalledElsewhere, source: Source) -> Iterator[Pair]:
    assert isinstance(step.func, ast.Attribute)
    scaler, owner, function = places.receiver(step), places.class_of(call, source), places.function_of(call, source)
    handed, named = to.arguments.get(scaler), to.named(step.func.value)
    if isinstance(handed, (ast.Name, ast.Attribute)):
        held = source.held(handed)
        if held.role is Role.SCALER or _scales(to.definition, scaler):
            yield Pair(places.spelled(handed), optimizer, owner, held.proven, function=function)
    elif _makes(to, scaler):
        yield Pair(scaler, optimizer, owner, proven=True, built_in=to.definition.name, function=function)
    elif named is not None and "scaler" in scaler.lower() and _DOTTED.fullmatch(named):
        inside = named.rpartition(".")[0] not in ("", "self")
        yield Pair(named, optimizer, owner, proven=True, inside=inside, function=function)


def reached(to: CalledElsewhere, depth: int = 2) -> Iterator[CalledElsewhere]:
    """A function of another file, and those of its file that it calls by name or as methods of its object."""
    yield to
    for call in (node for node in walk(to.definition) if isinstance(node, ast.Call)) if depth else ():
        of_self = isinstance(call.func, ast.Attribute) and places.receiver(call) == "self"
        if of_self or isinstance(call.func, ast.Name):
            for further in to.calls(call):
                if further.path == to.path and further.definition is not to.definition:
                    yield from reached(further, depth - 1)


def _scales(function: ast.AST, name: str) -> bool:
    """Whether a function scales losses with what it has under a name."""
    return any(places.receiver(call) == name for call in places.methods_called(function, "scale"))


def _makes(to: CalledElsewhere, scaler: str) -> bool:
    """Whether a function builds the scaler itself, so that it is a fresh one in each call, and keeps no state of it."""
    built = (node for node in _reached(to) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    calls = [node.value for node in built if scaler in map(places.spelled, node.targets)]
    states = places.methods_called(to.definition, "state_dict", "load_state_dict")
    return (
        bool(calls)
        and all(isinstance(call, ast.Call) and _is_fresh(call, to) for call in calls)
        and not any(places.receiver(state) == scaler for state in states)
    )


def _reached(to: CalledElsewhere) -> Iterator[ast.AST]:
    """The nodes of a function without what it only runs under a switch that the call leaves off."""
    skipped = {
        inner
        for node in walk(to.definition)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and _is_off(node.test.id, to)
        for statement in node.body
        for inner in walk(statement)
    }
    return (node for node in walk(to.definition) if node not in skipped)


def _is_off(parameter: str, to: CalledElsewhere) -> bool:
    """Whether a call hands False to a parameter, or leaves it at that."""
    given = to.arguments.get(parameter) or places.default_of(parameter, to.definition)
    return places.is_constant(given, False)


def _is_fresh(call: ast.Call, to: CalledElsewhere) -> bool:
    """Whether a call makes a scaler that is on: the class itself, or a helper that builds one then."""
    if places.called(call) == "GradScaler":
        return not places.is_switched_off(call)
    return "scaler" in places.called(call).lower() and any(makers.builds(one.definition) for one in to.calls(call))


def _followed(source: Source) -> Iterator[Pair]:
    """The steps that calls lead to, under the names of the function that makes the first call. A scaler that this file
    never names lies inside an object of another file: `self.mixed.step(self.optimizer)`."""
    if not NAMES_ONE.search(source.text):
        return  # nothing here keeps an optimizer
    states = places.all_methods_called(source, "state_dict", "load_state_dict")
    kept = tuple(f"{places.receiver(call)}." for call in states if places.receiver(call) not in ("", "self"))
    for routine in source.routines:
        for do in routine.events:
            scaler, call = do.event.scaler or "", source.call_at(do.site.span)
            if do.event.kind not in _STEPS or call is None or is_never_handed(call, source):
                continue
            inside = bool(do.event.path) and scaler not in source.text
            if inside and scaler.startswith(kept):
                continue  # the object around it keeps its state
            owner = places.class_of(call if do.event.path else routine.node, source)
            for optimizer in do.event.optimizers:
                if _DOTTED.fullmatch(scaler) and _DOTTED.fullmatch(optimizer):
                    yield Pair(scaler, optimizer, owner, do.site.proven, inside=inside)


def last(node: ast.expr) -> str:
    return places.spelled(node).rpartition(".")[2] if isinstance(node, (ast.Name, ast.Attribute)) else ""
