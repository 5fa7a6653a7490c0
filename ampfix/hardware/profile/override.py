"""Runs a script in a precision that is not its own: autocast regions in another dtype, or added to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import torch
from torch.amp.autocast_mode import autocast
from torch.amp.grad_scaler import GradScaler

from ampfix.emulate import force_fp32
from ampfix.emulate.patches import Patches
from ampfix.emulate.shadow import never_enabled
from ampfix.hardware.profile.arms import Arm, matmul_precision


class Regions:
    """What was met: regions that the script entered around its models, calls of models that got one, and losses that a
    scaler scaled. depth: of calls of modules under way."""

    def __init__(self) -> None:
        self.entered = self.added = self.scaled = self.depth = 0

    def problem(self, arm: Arm) -> str:
        """Why what ran is not what the arm says; empty where it is."""
        if arm.dtype == "float32":
            return ""
        if not self.entered and not self.added:
            return "no model was called: nothing ran in an autocast region"
        if arm.has_scaler and not self.scaled:
            return "the script scales no loss: without a GradScaler its gradients would vanish in float16"
        return ""


@contextlib.contextmanager
def precision(arm: Arm, device: str) -> Iterator[Regions]:
    """Everything inside runs as `arm` says.

    float32: autocast and scalers are off. Halves: the script's regions take this dtype; where it enters none, the
    outermost call of a module that trains gets one, and its floating point results are widened, as accelerate does.
    A scaler works with float16 alone.
    """
    regions, patches = Regions(), Patches()
    with contextlib.ExitStack() as stack:
        stack.callback(patches.undo)
        stack.enter_context(matmul_precision(tf32=arm.tf32))
        if arm.dtype == "float32":
            stack.enter_context(force_fp32())
        else:
            patches.set(autocast, "__enter__", _entering(arm, device, regions))
            patches.set(torch.nn.Module, "__call__", _calling(arm, device, regions))
            if arm.has_scaler:
                patches.set(GradScaler, "scale", _scaling(regions))
            else:
                patches.set(GradScaler, "_enabled", never_enabled())
        yield regions


def _entering(arm: Arm, device: str, regions: Regions) -> Any:
    enter = autocast.__enter__

    def entering(self: Any) -> Any:
        if self._enabled and self.device == device:
            regions.entered += not regions.depth
            self.fast_dtype = arm.torch_dtype
        return enter(self)  # type: ignore[no-untyped-call]

    return entering


def _calling(arm: Arm, device: str, regions: Regions) -> Any:
    call: Any = torch.nn.Module.__call__

    def calling(self: Any, *args: Any, **kwargs: Any) -> Any:
        regions.depth += 1
        try:
            if regions.depth > 1 or regions.entered or not _trains(self):
                return call(self, *args, **kwargs)
            regions.added += 1
            with torch.autocast(device, dtype=arm.torch_dtype):
                out = call(self, *args, **kwargs)
            return _widened(out)
        finally:
            regions.depth -= 1

    return calling


def _trains(module: torch.nn.Module) -> bool:
    return module.training and torch.is_grad_enabled() and next(module.parameters(), None) is not None


def _scaling(regions: Regions) -> Any:
    scale = GradScaler.scale

    def scaling(self: Any, outputs: Any) -> Any:
        regions.scaled += self._enabled
        return scale(self, outputs)

    return scaling


def _widened(value: Any) -> Any:
    """Half tensors in float32, through tuples, lists and mappings; everything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if type(value) in (tuple, list):
        return type(value)(_widened(item) for item in value)
    if type(value) is dict:
        return {name: _widened(item) for name, item in value.items()}
    if isinstance(value, MutableMapping):  # such as a ModelOutput
        for name, item in list(value.items()):
            value[name] = _widened(item)
    return value
