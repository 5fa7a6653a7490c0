"""How fast this device multiplies matrices, by size, layout and dtype."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ampfix.hardware.place import Place
from ampfix.hardware.profile import bench
from ampfix.hardware.profile.arms import Arm, arms, matmul_precision, why_not
from ampfix.hardware.profile.results import Rate

CUDA_SIZES, CPU_SIZES = (512, 1024, 2048, 4096, 8192), (256, 512, 768)
LAYOUTS = ("NN", "NT", "TN")
"""Forward, the gradient of the inputs and that of the weights each read one operand the other way round."""
_ODD = 1
"""Taken off a size, it is no multiple of 8 any more."""
_SECONDS = 0.5


def sweep(place: Place, sizes: Sequence[int] = ()) -> Iterator[Rate]:
    """Square products of each size and dtype in each layout, and once with sizes that no tensor core likes."""
    chosen = sizes or (CUDA_SIZES if place.kind == "cuda" else CPU_SIZES)
    for arm in arms():
        reason = why_not(arm, place)
        if reason:
            yield Rate(dtype=arm.name, layout="NN", shape=(chosen[0],) * 3, reason=reason)
            continue
        for size in chosen:
            for layout in LAYOUTS:
                yield _rate(arm, place, size, layout)
            yield _rate(arm, place, size - _ODD, "NN")


def _rate(arm: Arm, place: Place, size: int, layout: str) -> Rate:
    left, right = (_operand(arm, place, size, letter) for letter in layout)

    def act() -> None:
        torch.mm(left, right)

    with matmul_precision(tf32=arm.tf32):
        found = bench.passes({"product": act}, _SECONDS, 2, place.kind)["product"]
    flops = 2 * size**3
    return Rate(dtype=arm.name, layout=layout, shape=(size, size, size), tflops=flops / (min(found) * 1e-3) / 1e12)


def _operand(arm: Arm, place: Place, size: int, letter: str) -> torch.Tensor:
    made = torch.randn(size, size, dtype=arm.torch_dtype, device=place.kind)
    return made.t() if letter == "T" else made
