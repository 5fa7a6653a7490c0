"""Models that a function casts or trains, as its callers know them: `self.build()`, `make(net)`, `net = make()`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, HalfCast, Source
from ampfix.program.tree import walk
from ampfix.records import replace
from ampfix.rules._decided import is_left_out, is_reached
from ampfix.rules._halfmodels import (
    CastModel,
    assigned,
    cast_model,
    cast_models,
    chain_end,
    is_certain,
    loaded_dtype,
)
from ampfix.rules._masters import is_float32_again, is_rewrapped
from ampfix.rules._optimizers import Trained
from ampfix.rules._places import class_of, given_for, parameters
from ampfix.rules._shapes import function_of, method, own, owner_of, path, placed

_DEEP = 3  # calls between a cast and the optimizer


def cast_names(source: Source) -> Iterator[str]:
    """What the models that a file casts are called, there and where functions are called that cast them."""
    for model in (*cast_models(source), *returned_models(source)):
        yield model.name
        yield from (outer.name for outer in lifted_casts(model, source))


def returned_models(source: Source) -> Iterator[CastModel]:
    """`return net.half()`, `return Net().half()` and `return Net.from_pretrained(name, torch_dtype=torch.float16)`; the
    name is empty for what has none."""
    for node in source.nodes((ast.Return,)):
        assert isinstance(node, ast.Return)
        if node.value is None:
            continue
        dtype = loaded_dtype(node.value, source)
        if dtype is not None:
            call = placed(node.value)
            assert isinstance(call, ast.Call)
            yield _unnamed(HalfCast(call, call.func, dtype), source)
    for cast in source.half_casts:
        end = chain_end(cast.node, source)
        if end is not None and isinstance(next(source.ancestors(end), None), ast.Return):
            name = path(placed(cast.operand))
            yield cast_model(cast, name, source) if name else _unnamed(cast, source)


def _unnamed(cast: HalfCast, source: Source) -> CastModel:
    return CastModel(cast, "", function_of(cast.node, source), is_certain(cast.node, source))


def lifted_casts(model: CastModel, source: Source, deep: int = _DEEP) -> Iterator[CastModel]:
    """The model in the functions that run its cast, from the call on that does."""
    function = function_of(model.place, source)
    if not deep or (model.name and is_float32_again(model, source)):
        return
    for call in _calls_of(function, source):
        if is_left_out(model.place, function, call, source):
            continue
        names = [_known_as(model.name, function, call, source), _returned_as(model, function, call, source)]
        for name in filter(None, names):
            certain = model.certain and is_certain(call, source) and is_reached(model.place, function, call, source)
            outer = replace(model, name=name, owner=owner_of(call, name, source), certain=certain, at=call)
            yield outer
            yield from lifted_casts(outer, source, deep - 1)


def aliases(model: CastModel, source: Source) -> Iterator[CastModel]:
    """The model under the other names that the function has for it: `self.model = model`."""
    for node in own(function_of(model.place, source)) if not is_float32_again(model, source) else ():
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        names = [path(node.targets[0]), path(node.value)]
        if model.name in names and all(names):
            (other,) = {*names} - {model.name} or {""}
            owner = owner_of(node, other, source)
            if other and all(
                value is node.value or path(placed(value)) == other for value in assigned(other, owner, source)
            ):
                yield replace(model, name=other, owner=owner)


def lifted_optimizers(optimizer: Trained, source: Source, deep: int = _DEEP) -> Iterator[Trained]:
    """The optimizer in the functions that have it built, by the call that does."""
    function = function_of(optimizer.call, source)
    if not deep or is_rewrapped(optimizer, source) or is_float32_again(optimizer, source):
        return
    for call in _calls_of(function, source):
        name = _known_as(optimizer.name, function, call, source)
        if name and not is_left_out(optimizer.call, function, call, source):
            target = _target(call, source) or _known_as(optimizer.target, function, call, source)
            owner = owner_of(call, name, source)
            outer = replace(optimizer, call=call, name=name, owner=owner, target=target, lifted=True)
            yield outer
            yield from lifted_optimizers(outer, source, deep - 1)


def _calls_of(function: ast.AST, source: Source) -> Iterator[ast.Call]:
    """The calls in the file that run a function, or build the object that it initializes."""
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    owner = class_of(function, source)
    if owner is not None and function.name == "__init__":
        calls = [call for call in source.calls_to(owner.name) if _runs(call, owner, source)]
    else:
        called = source.calls_to(function.name)
        calls = [call for call in called if _is_of_self(call, owner, source) or _runs(call, function, source)]
    yield from (call for call in calls if function_of(call, source) is not function)


def _is_of_self(call: ast.Call, owner: ast.ClassDef | None, source: Source) -> bool:
    return owner is not None and path(method(call)[0]) == "self" and class_of(call, source) is owner


def _runs(call: ast.Call, definition: ast.AST, source: Source) -> bool:
    return any(
        binding.node is definition and binding.form in (Form.FUNCTION, Form.CLASS)
        for binding in source.resolve(call.func)
    )


def _known_as(name: str, function: ast.AST, call: ast.Call, source: Source) -> str:
    """What a caller calls something that a function knows as an attribute of self, or is handed; empty for neither."""
    root, _, rest = name.partition(".")
    if root not in parameters(function) or _is_set_anew(root, function, source):
        return ""
    if root != "self":
        given = given_for(root, function, call)
        base = path(given) if given is not None else ""
    elif getattr(function, "name", "") == "__init__":
        base = _target(call, source)
    else:
        base = path(method(call)[0])
    return f"{base}.{rest}" if base and rest else base


def _is_set_anew(name: str, function: ast.AST, source: Source) -> bool:
    """Whether a parameter becomes something else: `net = copy(net)`, but not `net = net.half()`, which is net."""
    return any(path(placed(value)) != name for value in assigned(name, function, source))


def _returned_as(model: CastModel, function: ast.AST, call: ast.Call, source: Source) -> str:
    """What a caller calls a model that a function returns on all paths; empty if it does not."""
    returns = [node.value for node in own(function) if isinstance(node, ast.Return) and node.value is not None]
    elements = [getattr(value, "elts", [value]) for value in returns]
    found = {(len(several), _index(model, several)) for several in elements}
    count, index = found.pop() if len(found) == 1 else (0, None)
    if index is None:
        return ""
    return _target(call, source) if count == 1 else _unpacked(call, index, source)


def _index(model: CastModel, values: list[ast.expr]) -> int | None:
    """Where among some values a model stands."""
    for index, value in enumerate(values):
        if (model.name and path(placed(value)) == model.name) or model.place in walk(value):
            return index
    return None


def _target(call: ast.Call, source: Source) -> str:
    """The name that the object of a call is kept under."""
    end = chain_end(call, source)
    statement = next(source.ancestors(end), None) if end is not None else None
    return path(statement.targets[0]) if isinstance(statement, ast.Assign) else ""


def _unpacked(call: ast.Call, index: int, source: Source) -> str:
    """The name that a call's answer of that place is kept under."""
    statement = next(source.ancestors(call), None)
    names = getattr(statement.targets[0], "elts", []) if isinstance(statement, ast.Assign) else []
    return path(names[index]) if index < len(names) else ""
