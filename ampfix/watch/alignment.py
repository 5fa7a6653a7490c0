"""Which half-precision matrix products have sizes that tensor cores read without padding."""

from __future__ import annotations

from typing import Any

import torch

STEP = 8
"""16 bytes of halves, the alignment of NVIDIA's guide to matrix multiplication
(https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/)."""

_PRODUCTS = frozenset({torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.baddbmm})
_HALF = (torch.float16, torch.bfloat16)


class AlignmentCensus:
    """Work of the half-precision products, and how much of it has all three sizes divisible by `STEP`."""

    def __init__(self) -> None:
        self.total = self.aligned = 0

    def count(self, func: Any, args: Any, work: int) -> None:
        """Count one op of `work` floating point operations; ops that are no matrix products are passed over."""
        if func._overloadpacket not in _PRODUCTS:
            return
        left, right = [one for one in args if isinstance(one, torch.Tensor)][-2:]  # addmm's bias comes first
        if right.dtype not in _HALF:
            return
        self.total += work
        if all(size % STEP == 0 for size in (*left.shape[-2:], right.shape[-1])):
            self.aligned += work

    def summary(self) -> dict[str, int]:
        return {"aligned": self.aligned, "total": self.total}
