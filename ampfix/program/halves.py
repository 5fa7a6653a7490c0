"""What happens to tensors in half precision."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HalfOperation:
    """A half tensor meets a number: `tensor sign value`. region: the expression that opens the float16 region.

    proven: the tensor is half for sure, not by a network's name.
    """

    node: Any
    sign: str
    value: float
    region: ast.expr
    proven: bool
