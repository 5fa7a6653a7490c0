"""The least time that a step can take: each op at the speed of its arithmetic or of memory, whichever is slower.

Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009. Launches, dependencies and caches are left out, so that a
measured step is slower; for a small model by far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from ampfix.hardware.profile.census import Call
from ampfix.hardware.profile.results import Bound

_TERA, _GIGA = 1e12, 1e9


@dataclass(frozen=True)
class Peak:
    """A device's limits. tflops: dense, by dtype, "tfloat32" for float32 through TF32; bandwidth: GB/s."""

    name: str
    tflops: Mapping[str, float]
    bandwidth: float

    def seconds(self, call: Call, *, tf32: bool) -> tuple[float, float]:
        """Of its arithmetic, and of its memory. A dtype without a figure of its own runs as float32 does."""
        dtype = "tfloat32" if tf32 and call.dtype == "float32" else call.dtype
        speed = self.tflops.get(dtype) or self.tflops["float32"]
        return call.flops / (speed * _TERA), call.bytes / (self.bandwidth * _GIGA)


def _peak(name: str, float32: float, tf32: float, half: float, bandwidth: float, *, bfloat16: bool = True) -> Peak:
    tflops = {"float32": float32, "float16": half, **({"tfloat32": tf32, "bfloat16": half} if bfloat16 else {})}
    return Peak(name, tflops, bandwidth)


_ALL = (
    _peak("V100", 15.7, 0, 125, 900, bfloat16=False),
    _peak("T4", 8.1, 0, 65, 320, bfloat16=False),
    _peak("A100", 19.5, 156, 312, 1555),
    _peak("RTX3090", 35.6, 35.6, 71, 936),
    _peak("RTX4090", 82.6, 82.6, 165, 1008),
    _peak("H100", 67, 494, 989, 3350),
)
PEAKS: Mapping[str, Peak] = {peak.name: peak for peak in _ALL}
"""NVIDIA's data sheets: V100 SXM2, T4, A100 40GB SXM, RTX 3090 and 4090 (halves summed in float32), H100 SXM."""


def bound(arm: str, calls: Mapping[Call, int], peak: Peak, *, tf32: bool, measured_ms: float | None = None) -> Bound:
    """The bound of one step. tf32: whether float32 products may use it."""
    total = memory = 0.0
    for call, count in calls.items():
        arithmetic, moving = peak.seconds(call, tf32=tf32)
        total += count * max(arithmetic, moving)
        memory += count * moving if moving >= arithmetic else 0.0
    milliseconds = total * 1e3
    return Bound(
        arm=arm,
        device=peak.name,
        bound_ms=milliseconds,
        memory_share=memory / total if total else 0.0,
        reached=milliseconds / measured_ms if measured_ms else None,
    )


def peak_of(name: str) -> Peak | None:
    """The figures of a CUDA device by torch's name for it; None for one that is not listed."""
    squeezed = name.replace(" ", "")
    return next((peak for peak in _ALL if peak.name in squeezed), None)


def measured_peak(dtypes: tuple[torch.dtype, ...], size: int = 768) -> Peak:
    """This CPU's limits, as large products and a large copy reach them with the threads that torch has."""
    tflops = {str(dtype).removeprefix("torch."): _product_speed(dtype, size) for dtype in dtypes}
    source = torch.ones(1 << 24)
    target = torch.empty_like(source)
    seconds = _fastest(lambda: target.copy_(source))
    return Peak("CPU, measured", tflops, 2 * source.numel() * source.element_size() / seconds / _GIGA)


def dtypes_of(names: Iterable[str]) -> tuple[torch.dtype, ...]:
    """torch's dtypes of these names."""
    return tuple(getattr(torch, name) for name in sorted(names))


def _product_speed(dtype: torch.dtype, size: int) -> float:
    left = torch.ones(size, size, dtype=dtype)
    return 2 * size**3 / _fastest(lambda: left @ left) / _TERA


def _fastest(act: Callable[[], object], times: int = 5) -> float:
    act()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        found.append(time.perf_counter() - began)
    return min(found)
