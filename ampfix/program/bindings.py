"""What a name may hold."""

from __future__ import annotations

import ast
from enum import Enum
from typing import Any

from ampfix.records import dataclass


class Role(str, Enum):
    """What a name holds, as far as an AMP step cares."""

    SCALER = "scaler"
    OPTIMIZER = "optimizer"
    SCHEDULER = "scheduler"
    AUTOCAST = "autocast"
    OTHER = "other"


class Form(str, Enum):
    """How a binding relates to what it names."""

    SYMBOL = "symbol"  # the thing itself: a class, a function, a module outside this file
    INSTANCE = "instance"  # what calling the symbol returns
    PARTIAL = "partial"  # functools.partial over the symbol
    FUNCTION = "function"  # a function, method or lambda of this file
    CLASS = "class"  # a class of this file
    OBJECT = "object"  # an instance of a class of this file
    PARAMETER = "parameter"  # a parameter nothing is known about
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Binding:
    """One value a name may hold. `node` is what produced it: a call, a definition, a parameter.

    symbol: the qualified name outside this file ("torch.cuda.amp.GradScaler"), or the name of a local definition.
    scope: where `node` is to be resolved. guard: the test under which the name holds this value, if there is one.
    built: of an object, the call that made it and the scope of that call; of what a helper constructs and returns, the
    call of the helper. preset: of a function, the call of
    `functools.partial` that set some of its arguments, and its scope.
    """

    form: Form
    symbol: str = ""
    node: Any = None
    scope: Any = None
    guard: ast.expr | None = None
    built: tuple[ast.Call, Any] | None = None
    preset: tuple[ast.Call, Any] | None = None
