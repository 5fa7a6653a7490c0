"""The precisions that are compared, and which of them a device can show."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ampfix.hardware.place import Place

FLOAT32, TF32, FLOAT16, BFLOAT16 = "fp32", "tf32", "fp16", "bf16"
COMPILED = "-compiled"


@dataclass(frozen=True)
class Arm:
    """One precision. dtype: of the autocast region, "float32" for none; a GradScaler belongs to float16 alone."""

    name: str
    dtype: str = "float32"
    tf32: bool = False
    compiled: bool = False

    @property
    def has_scaler(self) -> bool:
        return self.dtype == "float16"

    @property
    def torch_dtype(self) -> torch.dtype:
        found = getattr(torch, self.dtype)
        assert isinstance(found, torch.dtype)
        return found

    def region(self, device: str) -> contextlib.AbstractContextManager[object]:
        """The autocast region of a forward, or nothing."""
        if self.dtype == "float32":
            return contextlib.nullcontext()
        return torch.autocast(device, dtype=self.torch_dtype)


_PLAIN = (
    Arm(FLOAT32),
    Arm(TF32, tf32=True),
    Arm(FLOAT16, "float16", tf32=True),
    Arm(BFLOAT16, "bfloat16", tf32=True),
)


def arms(*, compiled: bool = False) -> tuple[Arm, ...]:
    """IEEE float32 first: it is the base of every ratio. Half regions leave TF32 to what stays in float32."""
    if not compiled:
        return _PLAIN
    return _PLAIN + tuple(Arm(arm.name + COMPILED, arm.dtype, arm.tf32, compiled=True) for arm in _PLAIN)


def why_not(arm: Arm, place: Place) -> str:
    """Why this device has nothing to say about an arm; empty where it has."""
    if place.kind == "cpu":
        if arm.dtype == "float16":
            return "a CPU multiplies float16 several times as slowly as float32: its time tells nothing of a GPU"
        if arm.tf32 and arm.dtype == "float32":
            return "TF32 is a mode of NVIDIA's tensor cores"
        return ""
    if arm.dtype != "float32" and arm.dtype not in place.accelerated:
        return f"{place.name} has no {arm.dtype} arithmetic: torch emulates it, and that is no support"
    if arm.tf32 and arm.dtype == "float32" and "tfloat32" not in place.accelerated:
        return f"{place.name} has no TF32"
    return ""


@contextlib.contextmanager
def matmul_precision(*, tf32: bool) -> Iterator[None]:
    """Let float32 products and convolutions use TF32, or hold them to IEEE float32; as before afterwards."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    _allow(tf32, tf32)
    try:
        yield
    finally:
        _allow(*before)


def _allow(products: bool, convolutions: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = convolutions
