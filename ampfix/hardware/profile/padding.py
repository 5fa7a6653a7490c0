"""What padding gains: a matrix product of odd sizes against the same one with sizes that are multiples of 8."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ampfix.hardware.place import Place
from ampfix.hardware.profile import bench
from ampfix.hardware.profile.results import Product
from ampfix.lab.timing import ratio
from ampfix.watch.alignment import STEP

MOST = 8
"""Products that are measured, those with the most work first."""
_SECONDS, _ROUNDS = 1.0, 3


def with_gains(products: Sequence[Product], place: Place) -> tuple[Product, ...]:
    """The products, the largest ones measured beside their padded selves."""
    ranked = sorted(products, key=_work, reverse=True)
    return tuple(_measured(item, place) if index < MOST else item for index, item in enumerate(ranked))


def _work(product: Product) -> int:
    rows, inner, columns = product.shape
    return product.calls * rows * inner * columns


def _measured(product: Product, place: Place) -> Product:
    if place.kind == "cpu" and product.dtype == "float16":
        return product.model_copy(update={"reason": "a CPU's float16 products say nothing of tensor cores"})
    dtype: torch.dtype = getattr(torch, product.dtype)
    rows, inner, columns = product.shape
    wider = [-(-size // STEP) * STEP for size in product.shape]
    arms = {"odd": _product((rows, inner, columns), dtype, place), "padded": _product(tuple(wider), dtype, place)}
    found = bench.passes(arms, _SECONDS, _ROUNDS, place.kind)
    return product.model_copy(update={"gain": ratio(found["odd"], found["padded"])})


def _product(shape: tuple[int, ...], dtype: torch.dtype, place: Place) -> Callable[[], None]:
    left = torch.randn(shape[0], shape[1], dtype=dtype, device=place.kind)
    right = torch.randn(shape[1], shape[2], dtype=dtype, device=place.kind)
    repeats = max(1, 4_000_000 // (shape[0] * shape[1] * shape[2]))  # a clock's tick and a launch must not count

    def act() -> None:
        for _ in range(repeats):
            torch.mm(left, right)

    return act
