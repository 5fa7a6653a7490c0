"""Which half-precision matrix products have sizes that tensor cores read without padding."""

from __future__ import annotations

from typing import Any

import torch

STEP = 8
"""16 bytes of halves, the alignment of NVIDIA's guide to matrix multiplication
(https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/)."""

_PRODUCTS = frozenset({torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.baddbmm})
_HALF = (torch.float16, torch.bfloat16)


def is_aligned(func: Any, args: Any) -> bool | None:
    """Whether `STEP` divides all three sizes of a half-precision product; None for any other op."""
    if func._overloadpacket not in _PRODUCTS:
        return None
    left, right = [one for one in args if isinstance(one, torch.Tensor)][-2:]  # addmm's bias comes first
    if right.dtype not in _HALF:
        return None
    return all(size % STEP == 0 for size in (*left.shape[-2:], right.shape[-1]))


class AlignmentCensus:
    """Work of the half-precision products, and how much of it is aligned."""

    def __init__(self) -> None:
        self.total = self.aligned = 0

    def count(self, aligned: bool | None, work: int) -> None:
        """Count one op of `work` floating point operations, as `is_aligned` says of it."""
        if aligned is not None:
            self.total += work
            self.aligned += work if aligned else 0

    def summary(self) -> dict[str, int]:
        return {"aligned": self.aligned, "total": self.total}
