"""Calls of models that run on the CPU, where a region for CUDA does nothing."""

from __future__ import annotations

import ast

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.tree import unparsed, walk
from ampfix.rules._shapes import function_of, handed_in, method, own, path

_MADE = {"torch.tensor", "torch.from_numpy", "torch.LongTensor", "torch.FloatTensor"}
_MOVES = pattern(r"\.(to|cuda)\(|device")
_PLACES = pattern(r"set_default_(device|tensor_type)|DataParallel|dispatch_model|device_map")


def is_on_cpu(call: ast.Call, source: Source) -> bool:
    """Whether what a model returns is made a numpy array as it is, its input was made on the CPU and stays there, or it
    goes where a default says: the CPU."""
    return _is_read_by_numpy(call, source) or _stays_on_cpu(call, source) or _goes_to_the_default(call, source)


def _is_read_by_numpy(call: ast.Call, source: Source) -> bool:
    """`model(x).detach().numpy()`, which raises for a tensor on any other device."""
    for around in source.ancestors(call):
        if isinstance(around, ast.Attribute):
            if around.attr == "numpy":
                return True
            if around.attr not in ("detach", "squeeze", "float", "flatten"):
                return False
        elif not isinstance(around, ast.Call):
            return False
    return False


def _stays_on_cpu(call: ast.Call, source: Source) -> bool:
    """`ids = torch.tensor(prompt)`, which a model on any other device refuses."""
    name = path(call.args[0]) if call.args else ""
    if not name:
        return False
    sets = [one for one in own(function_of(call, source)) if isinstance(one, ast.Assign) and _binds(one, name)]
    made = [path(one.value.func) if isinstance(one.value, ast.Call) else "" for one in sets]
    moved = any(_MOVES.search(unparsed(one.value)) for one in sets)
    if moved or not _MADE & set(made) or not all(one.startswith("torch.") for one in made):
        return False
    return _PLACES.search(source.text) is None


def _binds(assign: ast.Assign, name: str) -> bool:
    return any(path(one) == name for target in assign.targets for one in walk(target))


def _goes_to_the_default(call: ast.Call, source: Source) -> bool:
    """`model(x.to(device))` where device is "cpu" by default, and no call in the file hands another."""
    function = function_of(call, source)
    placed = {
        path(move.args[0])
        for given in handed_in(call)
        for move in walk(given)
        if isinstance(move, ast.Call) and method(move)[1] == "to" and move.args
    }
    names = placed & _on_cpu_by_default(function)
    return bool(names) and not any(_is_overridden(name, function, source) for name in names)


def _on_cpu_by_default(function: ast.AST) -> set[str]:
    arguments = getattr(function, "args", None)
    if not isinstance(arguments, ast.arguments):
        return set()
    pairs = [
        *zip(reversed(arguments.args), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {one.arg for one, default in pairs if isinstance(default, ast.Constant) and default.value == "cpu"}


def _is_overridden(name: str, function: ast.AST, source: Source) -> bool:
    """Whether the function assigns the parameter, or some call of the function's name may hand it something."""
    if any(isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store) for one in walk(function)):
        return True
    order = [one.arg for one in function.args.args]  # type: ignore[attr-defined]
    for call in source.calls_to(getattr(function, "name", "")):
        if not path(call.func):
            continue
        place = order.index(name) - (order[:1] == ["self"]) if name in order else len(call.args)
        unclear = any(isinstance(one, ast.Starred) for one in call.args)
        if unclear or len(call.args) > place or any(word.arg in (name, None) for word in call.keywords):
            return True
    return False
