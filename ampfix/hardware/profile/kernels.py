"""Proof that tensor cores were used: the names of the kernels that ran, and for how long.

cuBLAS and cuDNN name the instruction shape of a tensor core kernel (16816, 1688, 884), its family (tensorop, hmma,
gmma), or the half types it multiplies; CUTLASS and Triton say mma or dot. SIMT kernels say so, or sgemm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch

from ampfix.hardware.profile.results import MEASURED, NOT_MEASURED, Kernels

_TENSOR_CORE = re.compile(
    r"tensorop|hmma|gmma|qgmma|s?(?:16816|1688|884|161616|64x\d+x16)(?:gemm|fprop|dgrad|wgrad|cudnn|_)"
    r"|(?:fp16|bf16|tf32|h|bf)_?s?(?:16816|1688|884)|xmma_(?:gemm|fprop|dgrad|wgrad)_(?:f16|bf16|tf32)"
    r"|flash_(?:fwd|bwd)|fmha|wgmma|nvjet_[hbt]"
)
_NOT = re.compile(r"simt|sgemm(?!.*tensorop)|ffma")
_SHOWN = 6


def is_tensor_core(name: str) -> bool:
    """Whether a kernel's name says that it runs on tensor cores."""
    low = name.lower()
    return _TENSOR_CORE.search(low) is not None and _NOT.search(low) is None


def summed(arm: str, busy_us: Mapping[str, float]) -> Kernels:
    """busy_us: microseconds of each kernel by name."""
    total = sum(busy_us.values())
    if not total:
        return Kernels(arm=arm, status=NOT_MEASURED, reason="the profiler saw no kernel")
    cores = {name: value for name, value in busy_us.items() if is_tensor_core(name)}
    ranked = sorted(busy_us, key=lambda name: (name not in cores, -busy_us[name]))
    share = sum(cores.values()) / total
    return Kernels(arm=arm, status=MEASURED, share=share, names=tuple(name[:160] for name in ranked[:_SHOWN]))


def observe(arm: str, step: Callable[[], object], steps: int = 3) -> Kernels:
    """Run some steps under torch's profiler. Without CUDA, nothing is measured."""
    if not torch.cuda.is_available():
        return Kernels(arm=arm, status=NOT_MEASURED, reason="tensor cores are a CUDA device's")
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
    busy: dict[str, float] = {}
    for event in profiler.events() or ():
        busy[event.name] = busy.get(event.name, 0.0) + float(event.device_time_total)
    return summed(arm, busy)
