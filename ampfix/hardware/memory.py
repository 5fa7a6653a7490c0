"""What training a model takes in memory, by precision: computed from shapes alone, on torch's meta device.

Weights, gradients and optimizer state are exact. Activations are what autograd saves in one forward, counted once with
everything in float32 and once with everything in half: autocast lies between the two.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch

STATES = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2, "adafactor": 0}
"""Tensors of the weights' size that an optimizer keeps (torch.optim; Adafactor's are rows and columns)."""


@dataclass(frozen=True)
class Need:
    """Bytes. cast_cache: half copies of weights that autocast keeps during a forward. activations: least and most, None
    where no inputs were given."""

    precision: str
    weights: int
    gradients: int
    optimizer: int
    cast_cache: int
    activations: tuple[int, int] | None

    @property
    def total(self) -> int:
        """At most."""
        fixed = self.weights + self.gradients + self.optimizer + self.cast_cache
        return fixed + (self.activations[1] if self.activations else 0)


@dataclass(frozen=True)
class Measured:
    """Peak bytes of a real step; None with the reason where there is no figure. source: how it is known."""

    precision: str
    peak: int | None
    reason: str
    source: str


def needs(model: torch.nn.Module, inputs: tuple[Any, ...], optimizer: str) -> list[Need]:
    """The needs of float32, autocast (float16 with a scaler and bfloat16 alike), and weights in bfloat16.

    Raises:
        KeyError: an optimizer that STATES does not list.
    """
    trained = [item for item in model.parameters() if item.requires_grad]
    all_of_them = sum(item.numel() for item in model.parameters())
    count, states = sum(item.numel() for item in trained), STATES[optimizer]
    buffers = sum(item.numel() * item.element_size() for item in model.buffers())
    full = saved_bytes(model, inputs) if inputs else None
    half = saved_bytes(copy.deepcopy(model).bfloat16(), _halved(inputs)) if inputs else None
    cached = 2 * sum(item.numel() for item in model.parameters() if item.dim() > 1)
    between = (half, full) if half is not None and full is not None else None
    return [
        Need("float32", 4 * all_of_them + buffers, 4 * count, 4 * states * count, 0, _exactly(full)),
        Need("autocast", 4 * all_of_them + buffers, 4 * count, 4 * states * count, cached, between),
        Need("bfloat16 weights", 2 * all_of_them + buffers, 2 * count, 2 * states * count, 0, _exactly(half)),
    ]


def _exactly(count: int | None) -> tuple[int, int] | None:
    return None if count is None else (count, count)


def saved_bytes(model: torch.nn.Module, inputs: tuple[Any, ...]) -> int:
    """Bytes that autograd keeps from one forward for backward, parameters left out."""
    kept: dict[int, int] = {}
    held: list[torch.Tensor] = []  # so that no memory's id is used twice
    own = {item.untyped_storage()._cdata for item in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            held.append(tensor)
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = model(*inputs)
    del out
    return sum(kept.values())


def _halved(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        item.bfloat16() if isinstance(item, torch.Tensor) and item.is_floating_point() else item for item in inputs
    )
