"""What codemods ask for: statements put before or after others, guarded or removed, expressions replaced.

Pure descriptions; `ampfix.codemods.rewrite` makes them. Anchors are nodes of one `Tree`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from ampfix.codemods.tree import Statement


@dataclass(frozen=True)
class Before:
    """Put a statement (source text, one statement, perhaps compound) in front of `anchor`."""

    anchor: Statement
    source: str


@dataclass(frozen=True)
class After:
    """Put a statement behind `anchor`."""

    anchor: Statement
    source: str


@dataclass(frozen=True)
class Guard:
    """Let `anchor` run only `if condition:`."""

    anchor: Statement
    condition: str


@dataclass(frozen=True)
class Remove:
    """Take `anchor` away."""

    anchor: Statement


@dataclass(frozen=True)
class Replace:
    """Exchange a node for what `build` makes of it; `build` receives it with the changes inside it already made.

    label: two replacements of one node with equal labels are the same change.
    """

    anchor: cst.CSTNode
    build: Callable[[cst.CSTNode], cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.BaseStatement]]
    label: str


Change = Before | After | Guard | Remove | Replace


def replace_by(anchor: cst.CSTNode, source: str) -> Replace:
    """Exchange an expression for the expression `source`."""
    return Replace(anchor, lambda _: cst.parse_expression(source), source)
