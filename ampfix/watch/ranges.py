"""The ranges of activations and of their gradients, layer by layer: histograms by binary exponent.

Taken in few rounds of a run (the second and then twice in each doubling), by hooks that change nothing and are there in
those rounds only. Gradients are told without the loss scale, so that one histogram answers for every scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

ACTIVATION, GRADIENT = "activation", "gradient"
_LOWEST = -149  # exponent of the smallest float32
_BINS = 2 + 127 - _LOWEST + 1  # zeros, values that are not finite, exponents -149 to 127
_MOST_VALUES = 1 << 16  # of a tensor that are counted, evenly spaced


@dataclass
class Layer:
    """Of one module, its activations or their gradients. counts: by floor(log2) of the unscaled magnitude."""

    module: str
    type: str
    side: str
    dtype: str
    zeros: int = 0
    nonfinite: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    @property
    def nonzero(self) -> int:
        return sum(self.counts.values())

    @property
    def highest(self) -> int | None:
        """The exponent of the largest finite value."""
        return max(self.counts, default=None)

    def share_below(self, exponent: float) -> float:
        """The share of nonzero finite values below 2**exponent."""
        below = sum(times for at, times in self.counts.items() if at < exponent)
        return below / self.nonzero if self.nonzero else 0.0

    def as_json(self) -> dict[str, Any]:
        """`counts` as a list from exponent `low` on."""
        low, high = min(self.counts, default=0), max(self.counts, default=-1)
        return {
            "module": self.module, "type": self.type, "side": self.side, "dtype": self.dtype, "zeros": self.zeros,
            "nonfinite": self.nonfinite, "low": low,
            "counts": [self.counts.get(at, 0) for at in range(low, high + 1)],
        }  # fmt: skip


def sampled(attempt: int) -> bool:
    """Whether the round that ends in this attempt is one to look at: 1, 2, 3, 4, 6, 8, 12, 16, 24 and so on."""
    top = 1 << (attempt.bit_length() - 1) if attempt > 0 else 0
    return attempt > 0 and attempt in (top, top + top // 2)


class RangeCensus:
    """`begin` a round and `end` it with the loss scale that it ran under; `layers` adds up what was seen."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Layer] = {}
        self._round: dict[tuple[str, str], tuple[str, str, torch.Tensor]] = {}
        self._names: dict[int, str] = {}
        self._depth = 0
        self._hooks: list[Any] = []
        self.rounds = 0

    @property
    def layers(self) -> list[Layer]:
        """In the order in which modules were first called, gradients behind activations."""
        return list(self._known.values())

    def begin(self) -> None:
        self._depth = 0
        self._hooks = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def end(self, scale: float | None) -> None:
        for hook in self._hooks:
            hook.remove()
        if not self._hooks:
            return
        self._hooks = []
        self.rounds += 1
        for (module, side), (kind, dtype, counts) in self._round.items():
            layer = self._known.setdefault((module, side), Layer(module, kind, side, dtype))
            _add(layer, counts.tolist(), math.log2(scale) if scale and side == GRADIENT else 0.0)
        self._round.clear()

    def _enter(self, module: torch.nn.Module, _args: Any) -> None:
        if not self._depth:
            for name, inner in module.named_modules():
                self._names.setdefault(id(inner), name.removeprefix("module.").removeprefix("_orig_mod."))
        self._depth += 1

    def _leave(self, module: torch.nn.Module, _args: Any, out: Any) -> None:
        self._depth = max(0, self._depth - 1)
        is_layer = next(module.children(), None) is None or next(module.parameters(recurse=False), None) is not None
        if not is_layer or not isinstance(out, torch.Tensor) or not out.requires_grad or not out.is_floating_point():
            return
        name, kind = self._names.get(id(module), "") or type(module).__name__, type(module).__name__
        self._count(name, kind, ACTIVATION, out)
        out.register_hook(lambda gradient: self._count(name, kind, GRADIENT, gradient))  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def _count(self, module: str, kind: str, side: str, tensor: torch.Tensor) -> None:
        if not self._hooks or tensor.is_sparse or tensor.is_meta or not tensor.numel():
            return
        with torch._C._DisableTorchDispatch():  # what is asked here is no op of the loop
            counts = _histogram(tensor.detach())
            known = self._round.get((module, side))
            total = counts if known is None else known[2] + counts
        self._round[module, side] = (kind, str(tensor.dtype).removeprefix("torch."), total)


def _histogram(tensor: torch.Tensor) -> torch.Tensor:
    """Counts: zeros, values that are not finite, then by exponent from _LOWEST on."""
    values = tensor.reshape(-1)
    values = values[:: max(1, values.numel() // _MOST_VALUES)].float()
    exponents = torch.frexp(values).exponent.long()
    at = (exponents - 1 - _LOWEST + 2).clamp_(2, _BINS - 1)
    at = torch.where(values == 0, 0, torch.where(torch.isfinite(values), at, 1))
    return torch.zeros(_BINS, dtype=torch.int64, device=values.device).index_add_(0, at, torch.ones_like(at))


def _add(layer: Layer, counts: list[int], shift: float) -> None:
    layer.zeros += counts[0]
    layer.nonfinite += counts[1]
    for place, times in enumerate(counts[2:]):
        if times:
            exponent = _LOWEST + place - round(shift)
            layer.counts[exponent] = layer.counts.get(exponent, 0) + times
