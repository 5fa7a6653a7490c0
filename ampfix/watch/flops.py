"""Counts the floating point operations of matrix products and convolutions by the dtype they really ran in.

A dispatch mode sees every op after autocast has cast its inputs, forward and backward alike. It slows small models
down, so only some rounds of the loop are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import SystemRandom
from typing import Any, cast

import torch
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from ampfix.watch.alignment import AlignmentCensus
from ampfix.watch.modes import GuestMode

_RANDOM = SystemRandom()

_FIRST_BLOCKS = (2, 2, 4)
_BLOCK, _BLOCKS_A_SIZE = 8, 8
"""Rounds are counted one in a block: small blocks first, so that short runs are counted too, then eight blocks of 8
rounds, eight of 16 and so on: the last block, which may be cut short, is at most an eighth of the run."""


def doubling() -> Iterator[int]:
    """Blocks of 2, 2, 4, 8 and so on: a run of n rounds has about log2(n) counted."""
    yield 2
    size = 2
    while True:
        yield size
        size *= 2


def _block_sizes() -> Iterator[int]:
    yield from _FIRST_BLOCKS
    size = _BLOCK
    while True:
        for _ in range(_BLOCKS_A_SIZE):
            yield size
        size *= 2


class FlopCensus(GuestMode):
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
        self.listeners: list[Callable[[Any, Any], None]] = []  # called with each op of a counted round, its arguments
        self._formulas: dict[Any, Callable[..., int] | None] = {}

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        for listener in self.listeners:
            listener(func, args)
        try:
            formula = self._formulas[func]
        except KeyError:
            formula = self._formulas[func] = formula_of(func)
        if formula is not None:
            operand = args[1]  # the second matrix, the weight, the keys: its dtype is the kernel's
            work = formula(*args, **kwargs, out_val=out)
            self.by_dtype[str(operand.dtype).removeprefix("torch.")] += self._size * work
            self.alignment.count(func, args, self._size * work)
        return out

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
