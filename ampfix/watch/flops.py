"""Counts the floating point operations of matrix products and convolutions by the dtype they really ran in.

A dispatch mode sees every op after autocast has cast its inputs, forward and backward alike. It slows small models
down, so only some rounds of the loop are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import SystemRandom
from typing import Any, cast

import torch
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from ampfix.watch.alignment import AlignmentCensus, is_aligned
from ampfix.watch.modes import OpListener, OpWatch, OpWatcher

_RANDOM = SystemRandom()

_FIRST_BLOCKS = (2, 2, 4)
_BLOCK, _BLOCKS_A_SIZE = 8, 8
"""Rounds are counted one in a block: small blocks first, so that short runs are counted too, then eight blocks of 8
rounds, eight of 16 and so on: the last block, which may be cut short, is at most an eighth of the run."""

_MOST_SHAPES = 4096  # of one kind of op that are remembered


def few() -> Iterator[int]:
    """Blocks of 2, 2, 4, 16, 64 and so on: a run of n rounds has about log4(n) + 2 counted."""
    yield from (2, 2)
    size = 4
    while True:
        yield size
        size *= 4


def _block_sizes() -> Iterator[int]:
    yield from _FIRST_BLOCKS
    size = _BLOCK
    while True:
        for _ in range(_BLOCKS_A_SIZE):
            yield size
        size *= 2


class FlopCensus(OpWatch):
    """Multiply-adds count as two, as in torch.utils.flop_counter, whose formulas are used.

    What is drawn are rounds, so that the work of one batch for several optimizers is counted together: the spans
    between steps of one optimizer, as long as no other one steps twice within such a span. The counted round of a block
    stands for the whole block. It is drawn at random (not from torch's generators), so that a loop cannot do as it
    likes on the others; round 0, where modules initialise lazily and compile, is never drawn.
    """

    def __init__(self, sizes: Iterator[int] | None = None) -> None:
        super().__init__()
        self.by_dtype: Counter[str] = Counter()
        self.alignment = AlignmentCensus()
        self.counted = 0
        self._round = 0
        self._ends_rounds = ""
        self._others: set[str] = set()  # that have stepped in this round
        self._paused = False
        self._sizes = sizes or _block_sizes()
        self._size, self._end, self._drawn = 0, 0, 0
        self.listeners: list[OpListener] = []  # who else sees counted rounds

    def watchers(self, func: Any) -> Iterable[OpWatcher]:
        yield from (listener for listener in self.listeners if listener.wants(func))
        formula = formula_of(func)
        if formula is not None:
            yield partial(self._count, _Works(formula))

    def _count(self, works: _Works, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        dtype, work, aligned = works.of(func, args, kwargs, out)
        self.by_dtype[dtype] += self._size * work
        self.alignment.count(aligned, self._size * work)

    def after_attempt(self, optimizer: str) -> None:
        """Called after each attempt at a step, which may end the round."""
        if self._ends_rounds not in ("", optimizer) and optimizer not in self._others:
            self._others.add(optimizer)
            return
        self._ends_rounds = optimizer
        self._others.clear()
        self._round += 1
        while self._round >= self._end:
            start, self._size = self._end, next(self._sizes)
            self._end = start + self._size
            self._drawn = _RANDOM.randrange(max(start, 1), self._end)
        if self._round == self._drawn:
            self.counted += 1
            self.start()
        elif self.running:
            self.stop()

    def pause(self) -> None:
        """An optimizer updates weights, which is no work of the model's and many small ops."""
        self._paused = self.running
        if self._paused:
            self.stop()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.start()

    def summary(self) -> dict[str, int]:
        return dict(sorted(self.by_dtype.items()))


class _Works:
    """What ops of one kind compute, remembered by what they are called with: a formula takes longer than a dispatch."""

    def __init__(self, formula: Callable[..., int]) -> None:
        self._formula = formula
        self._known: dict[Any, tuple[str, int, bool | None]] = {}

    def of(self, func: Any, args: Any, kwargs: Any, out: Any) -> tuple[str, int, bool | None]:
        """The dtype, the floating point operations, and whether the sizes of a half product are aligned (None: it is no
        such product)."""
        operand = args[1]  # the second matrix, the weight, the keys: its dtype is the kernel's
        key = operand.dtype, *map(_hashable, args), *map(_hashable, kwargs.items())
        known = self._known.get(key)
        if known is None:
            work = self._formula(*args, **kwargs, out_val=out)
            known = str(operand.dtype).removeprefix("torch."), work, is_aligned(func, args)
            if len(self._known) < _MOST_SHAPES:
                self._known[key] = known
        return known


def _hashable(item: Any) -> Any:
    if isinstance(item, torch.Tensor):
        return item.shape
    return tuple(map(_hashable, item)) if isinstance(item, (list, tuple)) else item


def formula_of(func: Any) -> Callable[..., int] | None:
    """What counts the floating point operations of an op from its arguments; None where nothing is counted."""
    packet = func._overloadpacket
    formula: Any = _CPU_ATTENTION.get(packet) or flop_registry.get(packet)
    return cast("Callable[..., int] | None", formula)


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))  # type: ignore[no-untyped-call]


def _attention_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    shapes = gradient.shape, query.shape, key.shape, value.shape
    return int(sdpa_backward_flop_count(*shapes))  # type: ignore[no-untyped-call]


_CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
"""CPU attention kernels, which torch's own registry does not list."""
