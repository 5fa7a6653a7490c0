"""How scalers and autocast regions are set up."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from ampfix.program.bindings import Role
from ampfix.records import dataclass


@dataclass(frozen=True)
class Held:
    """What an expression holds. proven: by a binding or by use that allows nothing else, not by its name."""

    role: Role
    proven: bool


@dataclass(frozen=True)
class ScalerBuilt:
    """One construction of torch's GradScaler.

    arguments: by the constructor's parameter names, wherever they stand in the call; None where some are unpacked into
    it. target: the name or attribute it is assigned to, as written; empty where it is not simply assigned. optional:
    that name may also hold None.
    """

    node: Any
    symbol: str
    arguments: Mapping[str, ast.expr] | None
    target: str = ""
    optional: bool = False


@dataclass(frozen=True)
class AutocastOpened:
    """One call that makes an autocast region, wherever it is entered.

    device: "cuda", "cpu", ...; empty where the text does not fix it. dtypes: what the region's dtype may be, "unknown"
    among them where some of it is not seen. dtype and enabled: the expressions, None where left out.
    """

    node: Any
    device: str
    dtypes: frozenset[str]
    dtype: ast.expr | None = None
    enabled: ast.expr | None = None
