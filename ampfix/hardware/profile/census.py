"""What one training step consists of: work by op and dtype, casts, and products of sizes that tensor cores dislike.

A dispatch mode sees every op as it really runs, behind autocast's casts, forward and backward alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_leaves

from ampfix.hardware.profile.results import Cast, Census, OpWork, Product
from ampfix.watch.alignment import STEP
from ampfix.watch.flops import formula_of
from ampfix.watch.modes import GuestMode

_HALVES = (torch.float16, torch.bfloat16)
_PRODUCTS = frozenset({torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.baddbmm})
_CASTS = frozenset({torch.ops.aten._to_copy, torch.ops.aten.copy_})
BACKWARD = "(backward)"


@dataclass(frozen=True)
class Call:
    """One op: its name, the dtype of its arithmetic, the bytes that it must read and write at least."""

    op: str
    dtype: str
    flops: int
    bytes: int


class StepCensus(GuestMode):
    """Counts between `start` and `stop`. Views and allocations move nothing and are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Call] = Counter()
        self._casts: Counter[tuple[str, str, int]] = Counter()
        self._products: Counter[tuple[str, str, tuple[int, int, int]]] = Counter()
        self._modules: list[str] = []
        self._names: dict[int, str] = {}
        self._hooks: list[Any] = []
        self._formulas: dict[Any, Callable[..., int] | None] = {}

    def start(self) -> None:
        self._hooks = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]
        super().start()

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        super().stop()

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        inputs, outputs = list(_tensors((args, kwargs))), list(_tensors(out))
        if not outputs or _moves_nothing(func, inputs):
            return out
        moved = sum(item.numel() * item.element_size() for item in (*inputs, *outputs))
        packet = func._overloadpacket
        if packet in _CASTS:
            source = inputs[-1].dtype if inputs else outputs[0].dtype
            if source != outputs[0].dtype and (source.is_floating_point and outputs[0].dtype.is_floating_point):
                self._casts[_name(source), _name(outputs[0].dtype), moved] += 1
        if func not in self._formulas:
            self._formulas[func] = formula_of(func)
        formula = self._formulas[func]
        flops = 0 if formula is None else int(formula(*args, **kwargs, out_val=out))
        dtype = args[1].dtype if formula is not None and isinstance(args[1], torch.Tensor) else outputs[0].dtype
        self.calls[Call(str(packet).removeprefix("aten."), _name(dtype), flops, moved)] += 1
        if packet in _PRODUCTS:
            self._product(inputs)
        return out

    def _product(self, inputs: list[torch.Tensor]) -> None:
        left, right = inputs[-2:]  # addmm's bias comes first
        shape = (int(left.shape[-2]), int(left.shape[-1]), int(right.shape[-1]))
        if right.dtype in _HALVES and any(size % STEP for size in shape):
            module = self._modules[-1] if self._modules else BACKWARD
            self._products[module, _name(right.dtype), shape] += 1

    def _enter(self, module: Any, _args: Any) -> None:
        if not self._names:
            self._names = {id(child): name for name, child in module.named_modules() if name}
        self._modules.append(self._names.get(id(module)) or type(module).__name__)

    def _leave(self, *_: Any) -> None:
        if self._modules:
            self._modules.pop()

    def result(self, arm: str) -> Census:
        """What was counted, the largest work first."""
        work: dict[tuple[str, str], list[int]] = {}
        for call, count in self.calls.items():
            row = work.setdefault((call.op, call.dtype), [0, 0, 0])
            for index, amount in enumerate((1, call.flops, call.bytes)):
                row[index] += count * amount
        casts: dict[tuple[str, str], list[int]] = {}
        for (source, target, moved), count in self._casts.items():
            pair = casts.setdefault((source, target), [0, 0])
            pair[0] += count
            pair[1] += count * moved
        rows = sorted(work.items(), key=lambda item: (-item[1][1], -item[1][2]))
        return Census(
            arm=arm,
            work=tuple(
                OpWork(op=op, dtype=dtype, calls=calls, flops=flops, bytes=moved)
                for (op, dtype), (calls, flops, moved) in rows
            ),
            casts=tuple(
                Cast(source=source, target=target, count=count, bytes=moved)
                for (source, target), (count, moved) in sorted(casts.items())
            ),
            products=tuple(
                Product(module=module, dtype=dtype, shape=shape, calls=count)
                for (module, dtype, shape), count in self._products.most_common()
            ),
        )


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))


def _moves_nothing(func: Any, inputs: list[torch.Tensor]) -> bool:
    """Views share their input's memory; factories of unset memory write none."""
    aliased = any(item.alias_info is not None and not item.alias_info.is_write for item in func._schema.returns)
    return aliased or (not inputs and "empty" in str(func)) or "empty_like" in str(func)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
