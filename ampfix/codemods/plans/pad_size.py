"""Rounds a layer's size up, everywhere it stands.

Span: the size in one layer's constructor. Arguments: `old`, `new`: the numbers. A named size changes where it is named;
a literal one in every layer of the file that has it. Raises CannotRepair where it stands anywhere else, since it might
be the shape of something that does not change.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.changes import Change, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_LAYERS = ("Linear", "Embedding", "LayerNorm", "RMSNorm", "PReLU")
_PREFIXES = ("Conv", "BatchNorm", "InstanceNorm")


def plan(tree: Tree, repair: Repair) -> list[Change]:
    old, new = repair.arguments["old"], repair.arguments["new"]
    size = tree.at(repair.span)
    if isinstance(size, cst.Name):
        return [replace_by(_named(tree, size.value, old), new)]
    if not isinstance(size, cst.Integer):
        raise CannotRepair(f"the size {tree.code(size)} is computed; round it up where it is set")
    literals = list(_literals(tree, old))
    for literal in literals:
        if not _is_size(tree, literal):
            raise CannotRepair(f"line {tree.line(literal)} says {old} outside a layer; round both up by hand")
    return [replace_by(literal, new) for literal in literals]


def _named(tree: Tree, name: str, old: str) -> cst.Integer:
    """The number that a name is set to, once."""
    values = [
        node.value
        for node in tree.walk(tree.module)
        if isinstance(node, cst.Assign) and any(tree.code(target.target) == name for target in node.targets)
    ]
    if len(values) != 1 or not isinstance(values[0], cst.Integer) or values[0].value.replace("_", "") != old:
        raise CannotRepair(f"{name} is not simply set to {old}; round it up where it is set")
    return values[0]


def _literals(tree: Tree, number: str) -> Iterator[cst.Integer]:
    for node in tree.walk(tree.module):
        if isinstance(node, cst.Integer) and node.value.replace("_", "") == number:
            yield node


def _is_size(tree: Tree, literal: cst.Integer) -> bool:
    """Whether a number is an argument of a layer that takes any size."""
    argument = tree.parent(literal)
    call = tree.parent(argument) if isinstance(argument, cst.Arg) else None
    name = dotted(call.func)[-1:] if isinstance(call, cst.Call) else []
    return bool(name) and (name[0] in _LAYERS or name[0].startswith(_PREFIXES))
