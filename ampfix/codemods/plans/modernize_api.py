"""Moves a deprecated AMP name to its successor: the import, and every use that the import serves.

Span: the deprecated expression, or the call of it. Optional argument `floor`: the oldest torch release the project
supports ("2.1"); a successor that is younger is not written.

A name imported from a deprecated module keeps its name and gets another home, so all of its uses move together.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst
from libcst.helpers import get_full_name_for_node

from ampfix.codemods._imports import (
    Binding,
    Dotted,
    binding_of,
    dotted,
    global_name,
    is_exported,
    root_of,
    siblings,
    uses,
)
from ampfix.codemods._usage import adapt
from ampfix.codemods.changes import After, Change, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair
from ampfix.rules._successors import SUCCESSORS, Successor

_DEPRECATED_MODULES = tuple(
    f"torch.{device}.amp{module}" for device in ("cuda", "cpu") for module in ("", ".autocast_mode", ".grad_scaler")
)


def plan(tree: Tree, repair: Repair) -> list[Change]:
    node = tree.at(repair.span)
    expression = node.func if isinstance(node, cst.Call) else node
    if not isinstance(expression, (cst.Name, cst.Attribute)):
        raise CannotRepair("the deprecated name is not written as a name here")
    floor = repair.arguments.get("floor", "")
    binding = binding_of(tree, root_of(expression))
    if binding.prefix in _DEPRECATED_MODULES:
        return _move_module(tree, binding, floor)
    if binding.prefix in SUCCESSORS:
        return _move_names(tree, binding, floor)
    return _move_submodule(tree, binding, expression, floor) or _respell(tree, binding, expression, floor)


def _move_submodule(tree: Tree, binding: Binding, expression: Dotted, floor: str) -> list[Change]:
    """`import torch.cuda.amp` binds torch: it becomes `import torch.amp` where all that it serves can follow."""
    module = ".".join((binding.prefix, *dotted(expression)[1:-1]))
    if binding.prefix != "torch" or module not in _DEPRECATED_MODULES:
        return []
    imports = [
        alias.name
        for statement in tree.walk(tree.module)
        if isinstance(statement, cst.Import)
        for alias in statement.names
        if alias.asname is None and get_full_name_for_node(alias.name) == module
    ]
    served = [use for use in uses(tree, binding) if ".".join(("torch", *dotted(use)[1:])).startswith(f"{module}.")]
    if not imports or expression not in served:
        return []
    changes: list[Change] = [replace_by(name, "torch.amp") for name in imports]
    try:
        for use in served:
            changes += _respell(tree, binding, use, floor)
    except CannotRepair:
        return []
    return changes


def _respell(tree: Tree, binding: Binding, expression: Dotted, floor: str) -> list[Change]:
    """The name is reached through torch, torch.cuda or torch.cpu: only this use changes."""
    successor = _successor(binding, expression, floor)
    torch = binding.name if binding.prefix == "torch" else global_name(tree, "torch")
    changes: list[Change] = []
    if torch is None:
        torch = "torch"
        if any(isinstance(node, cst.Name) and node.value == torch for node in _outside_imports(tree, tree.module)):
            raise CannotRepair("the name torch is used for something else here, and torch.amp is not imported")
        changes.append(After(binding.statement, "import torch"))
    return [*changes, *adapt(tree, expression, f"{torch}.{successor.name}", successor)]


def _outside_imports(tree: Tree, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if not isinstance(node, (cst.Import, cst.ImportFrom)):
        yield node
        for child in node.children:
            yield from _outside_imports(tree, child)


def _move_module(tree: Tree, binding: Binding, floor: str) -> list[Change]:
    """`amp` stands for torch.cuda.amp: it shall stand for torch.amp, and every use of it follows."""
    if is_exported(tree, binding.name):
        raise CannotRepair(f"{binding.name} is listed in __all__, so other files may use it as it is")
    changes: list[Change] = []
    for use in uses(tree, binding):
        successor = _successor(binding, use, floor)
        changes += adapt(tree, use, f"{binding.name}.{successor.name.removeprefix('amp.')}", successor)
    if isinstance(binding.statement, cst.Import):
        return [*changes, replace_by(binding.alias.name, "torch.amp")]
    module = _last(binding.prefix)  # torch.amp has modules of the same names as torch.cuda.amp
    home = "torch" if module == "amp" else "torch.amp"
    return [*changes, *_rehome(tree, binding.statement, {binding.alias: module}, home)]


def _move_names(tree: Tree, binding: Binding, floor: str) -> list[Change]:
    """Names imported from a deprecated module. All that can move in this statement do, so that it changes once."""
    assert isinstance(binding.statement, cst.ImportFrom), "no other import binds a function or class"
    moving: dict[cst.ImportAlias, str] = {}
    changes: list[Change] = []
    for sibling in siblings(tree, binding):
        if sibling.prefix not in SUCCESSORS:
            continue
        try:
            changes += _adapt_uses(tree, sibling, floor)
        except CannotRepair:
            if sibling.alias is binding.alias:
                raise
        else:
            moving[sibling.alias] = _last(SUCCESSORS[sibling.prefix].name)
    home = f"torch.{SUCCESSORS[binding.prefix].name}".rpartition(".")[0]
    return [*changes, *_rehome(tree, binding.statement, moving, home)]


def _adapt_uses(tree: Tree, binding: Binding, floor: str) -> list[Change]:
    if is_exported(tree, binding.name):
        raise CannotRepair(f"{binding.name} is listed in __all__, so other files may use it as it is")
    _require(SUCCESSORS[binding.prefix], floor)  # an import without uses has to work too
    new_name = binding.name
    old, new = _last(binding.prefix), _last(SUCCESSORS[binding.prefix].name)
    if new != old and binding.alias.asname is None:
        new_name = new
        if new in tree.names():
            raise CannotRepair(f"the name {new} is used for something else here")
    changes: list[Change] = []
    for use in uses(tree, binding):
        changes += adapt(tree, use, new_name, _successor(binding, use, floor))
    return changes


def _rehome(tree: Tree, statement: cst.ImportFrom, moving: dict[cst.ImportAlias, str], home: str) -> Iterator[Change]:
    """Import `moving` (alias -> its new name) from `home`: in place if nothing else is left, else in a line behind."""
    assert not isinstance(statement.names, cst.ImportStar) and statement.module is not None
    staying = [alias for alias in statement.names if alias not in moving]
    if not staying or get_full_name_for_node(statement.module) == home:
        yield replace_by(statement.module, home)
        for alias, name in moving.items():
            yield replace_by(alias.name, name)
        return
    if any("#" in tree.code(alias) for alias in moving):
        raise CannotRepair("a comment inside the import would be lost; split the import first")
    if statement.lpar is None:
        staying[-1] = staying[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    kept = statement.with_changes(names=staying)
    yield Replace(statement, lambda updated: kept.with_changes(semicolon=_semicolon(updated)), tree.code(kept))
    names = [name + (tree.code(alias.asname) if alias.asname else "") for alias, name in moving.items()]
    yield After(statement, f"from {home} import {', '.join(names)}")


def _semicolon(statement: cst.CSTNode) -> cst.Semicolon | cst.MaybeSentinel:
    return cst.ensure_type(statement, cst.ImportFrom).semicolon


def _successor(binding: Binding, use: Dotted, floor: str) -> Successor:
    """What the name behind a use became. Raises CannotRepair where it is none of the table or too young."""
    qualified = ".".join((binding.prefix, *dotted(use)[1:]))
    successor = SUCCESSORS.get(qualified)
    if successor is None:
        raise CannotRepair(f"{qualified} has no successor that this repair knows")
    _require(successor, floor)
    return successor


def _require(successor: Successor, floor: str) -> None:
    if floor and _version(floor) < successor.since:
        since = ".".join(map(str, successor.since))
        raise CannotRepair(f"torch.{successor.name} needs torch {since}, and the project supports torch {floor}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _last(name: str) -> str:
    return name.rpartition(".")[2]
