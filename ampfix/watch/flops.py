"""Counts the floating point operations of matrix products and convolutions by the dtype they really ran in.

A dispatch mode sees every op after autocast has cast its inputs, forward and backward alike. It slows small models
down, so only some steps are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import SystemRandom
from typing import Any, cast

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from ampfix.watch.alignment import AlignmentCensus

_RANDOM = SystemRandom()

_FIRST_BLOCKS = (2, 2, 4)
_BLOCK, _BLOCKS_A_SIZE = 8, 8
"""Steps are counted one in a block: small blocks first, so that short runs are counted too, then eight blocks of 8
steps, eight of 16 and so on: the last block, which may be cut short, is at most an eighth of the run."""


def doubling() -> Iterator[int]:
    """Blocks of 2, 2, 4, 8 and so on: a run of n steps has about log2(n) counted."""
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


class FlopCensus(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Multiply-adds count as two, as in torch.utils.flop_counter, whose formulas are used.

    The counted step of a block stands for the whole block. It is drawn at random (not from torch's generators), so that
    a loop cannot do as it likes on the others; step 0, where modules initialise lazily and compile, is never drawn.
    """

    def __init__(self, sizes: Iterator[int] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.by_dtype: Counter[str] = Counter()
        self.alignment = AlignmentCensus()
        self.steps = 0
        self._sizes = sizes or _block_sizes()
        self._size, self._end, self._drawn = 0, 0, 0
        self._entered = False
        self.listeners: list[Callable[[Any, Any], None]] = []  # called with each op of a counted step and its arguments
        self._formulas: dict[Any, Callable[..., int] | None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for listener in self.listeners:
            listener(func, args)
        try:
            formula = self._formulas[func]
        except KeyError:
            formula = self._formulas[func] = _formula(func)
        if formula is not None:
            operand = args[1]  # the second matrix, the weight, the keys: its dtype is the kernel's
            work = formula(*args, **(kwargs or {}), out_val=out)
            self.by_dtype[str(operand.dtype).removeprefix("torch.")] += self._size * work
            self.alignment.count(func, args, self._size * work)
        return out

    def before_step(self, attempt: int) -> None:
        """Called between steps: switch counting on for a drawn step and off after it."""
        while attempt >= self._end:
            start, self._size = self._end, next(self._sizes)
            self._end = start + self._size
            self._drawn = _RANDOM.randrange(max(start, 1), self._end)
        if attempt != self._drawn:
            self.stop()
            return
        self.steps += 1
        if not self._entered:
            self.__enter__()  # type: ignore[no-untyped-call]
            self._entered = True

    def stop(self) -> None:
        """Leave the mode, unless the loop has entered another one on top of it: then try again later."""
        if self._entered and _get_current_dispatch_mode() is self:
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._entered = False

    def summary(self) -> dict[str, int]:
        return dict(sorted(self.by_dtype.items()))


def _formula(func: Any) -> Callable[..., int] | None:
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
