"""Puts custom_fwd on the forward and custom_bwd on the backward of a torch.autograd.Function.

Span: the class. Arguments: `device`, the region's device; optional `floor`, the oldest torch the project supports.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans.rewrite_expression import spelled
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_DECORATORS = {"forward": "custom_fwd", "backward": "custom_bwd"}


def plan(tree: Tree, repair: Repair) -> list[Change]:
    definition = tree.at(repair.span)
    if not isinstance(definition, cst.ClassDef):
        raise CannotRepair("the autograd Function is not defined here")
    torch, device = spelled(tree, "torch"), f"{tree.quote}{repair.arguments['device']}{tree.quote}"
    is_old = _is_before(repair.arguments.get("floor", ""), (2, 4))  # torch.amp.custom_fwd came with 2.4
    changes: list[Change] = []
    for method in tree.functions_of(definition):
        name = _DECORATORS.get(method.name.value)
        if name is not None and not any(name in tree.code(decorator) for decorator in method.decorators):
            source = f"{torch}.cuda.amp.{name}" if is_old else f"{torch}.amp.{name}(device_type={device})"
            changes.append(_decorated(method, source))
    return changes


def _is_before(floor: str, version: tuple[int, int]) -> bool:
    return bool(floor) and tuple(map(int, floor.split(".")[:2])) < version


def _decorated(method: cst.FunctionDef, source: str) -> Replace:
    """The decorator stands next to `def`, under staticmethod."""

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.FunctionDef)
        return updated.with_changes(decorators=[*updated.decorators, cst.Decorator(cst.parse_expression(source))])

    return Replace(method, build, source)
