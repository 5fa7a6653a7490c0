"""A model's training step in each precision, built from a user's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from ampfix.hardware.models import ModelError, returned
from ampfix.hardware.profile.arms import Arm, matmul_precision

_LEARNING_RATE = 1e-6
"""Weights hardly move, so that the arms, which share them, all do the same work."""


@dataclass
class Workload:
    """A model, inputs for one batch, and what makes a scalar of its output. All arms share weights and optimizer, as
    both are float32 in every arm."""

    model: torch.nn.Module
    inputs: tuple[Any, ...]
    loss: Callable[[Any], torch.Tensor]
    device: torch.device
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device).train()
        self.inputs = tree_map(self._moved, self.inputs)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=_LEARNING_RATE)

    def _moved(self, leaf: Any) -> Any:
        return leaf.to(self.device) if isinstance(leaf, torch.Tensor) else leaf

    @property
    def parameters(self) -> int:
        return sum(item.numel() for item in self.model.parameters())


class Step:
    """One arm's training step: zero_grad, forward, loss, backward, unscale, clip, optimizer and update.

    region: the device type that autocast is entered for; by default the workload's own.
    """

    def __init__(self, work: Workload, arm: Arm, region: str = "") -> None:
        self.arm = arm
        self._work = work
        self._region = region or work.device.type
        self._scaler = torch.amp.GradScaler(self._region, enabled=arm.has_scaler)
        self._forward: Any = torch.compile(self._scored) if arm.compiled else self._scored

    def _scored(self) -> torch.Tensor:
        return self._work.loss(self._work.model(*self._work.inputs))

    def __call__(self) -> None:
        work = self._work
        with matmul_precision(tf32=self.arm.tf32):
            work.optimizer.zero_grad(set_to_none=True)
            with self.arm.region(self._region):
                loss = self._forward()
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(work.optimizer)
            torch.nn.utils.clip_grad_norm_(work.model.parameters(), 1.0)
            self._scaler.step(work.optimizer)
            self._scaler.update()


def build(target: str, device: torch.device) -> Workload:
    """What `module:function` returns: (model, inputs) or (model, inputs, loss), where loss makes a scalar of the
    model's output; without one it is the mean of squares.

    Raises:
        ModelError: a target that gives no such thing.
    """
    made = returned(target)
    if not isinstance(made, tuple) or len(made) not in (2, 3):
        raise ModelError(f"{target}: must return (model, inputs) or (model, inputs, loss) to be profiled")
    model, inputs, *more = made
    if not isinstance(model, torch.nn.Module):
        raise ModelError(f"{target}: the first of what it returns is {type(model).__name__}, not a torch.nn.Module")
    loss = more[0] if more else mean_of_squares
    if not callable(loss):
        raise ModelError(f"{target}: the third of what it returns must be a function of the model's output")
    batch = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    return Workload(model, batch, loss, device)


def mean_of_squares(output: Any) -> torch.Tensor:
    """A loss for a model whose own is not known: over all its floating point outputs, in float32."""
    found = [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    return torch.stack([leaf.float().square().mean() for leaf in found]).sum()
