"""Autocast state under emulation: "cuda" and "cpu" change places.

Every tensor of an emulated run is a CPU tensor, so the region that says "cuda" must switch on AutocastCPU, and the one
that says "cpu" must reach no tensor at all, as on a GPU. torch keeps one enabled flag and one dtype per device and
thread; renaming the two in every accessor does both, and leaves torch's autocast classes alone.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import torch

from ampfix.emulate.kernels import WEIGHTS
from ampfix.emulate.patches import Patches

_SWAPPED = {"cuda": "cpu", "cpu": "cuda"}
_DEFAULT_DTYPE = {"cuda": torch.float16, "cpu": torch.bfloat16}

_is_enabled = torch._C.is_autocast_enabled
_set_enabled = torch._C.set_autocast_enabled
_get_dtype = torch._C.get_autocast_dtype
_set_dtype = torch._C.set_autocast_dtype
_clear_cache = torch._C.clear_autocast_cache


class _Thread(threading.local):
    """Autocast's dtypes are thread-local: a new thread starts with torch's own, unswapped."""

    def __init__(self) -> None:
        for device, dtype in _DEFAULT_DTYPE.items():
            _set_dtype(_SWAPPED[device], dtype)


def swap_autocast_state(patches: Patches) -> None:
    """Make torch's autocast accessors read and write the emulated device's state."""
    _restore_on_undo(patches)
    thread = _Thread()
    enabled = {device: _is_enabled(device) for device in _SWAPPED}
    outer_set_enabled: Callable[..., None] = torch.set_autocast_enabled  # force_fp32's, where it came first

    def native(device_type: str) -> str:
        vars(thread)  # touching the local runs its initialiser once in each thread
        return _SWAPPED.get(device_type, device_type)

    def is_enabled(device_type: str = "cuda") -> bool:
        return _is_enabled(native(device_type))

    def set_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
        if enabled is None:  # the old one-argument form means CUDA
            device_type, enabled = "cuda", bool(device_type)
        outer_set_enabled(native(str(device_type)), enabled)

    def get_dtype(device_type: str) -> torch.dtype:
        return _get_dtype(native(device_type))

    def set_dtype(device_type: str, dtype: torch.dtype) -> None:
        _set_dtype(native(device_type), dtype)

    def clear_cache() -> None:
        WEIGHTS.clear()
        _clear_cache()

    replacements: dict[str, Callable[..., Any]] = {
        "is_autocast_enabled": is_enabled,
        "set_autocast_enabled": set_enabled,
        "get_autocast_dtype": get_dtype,
        "set_autocast_dtype": set_dtype,
        "clear_autocast_cache": clear_cache,
        "get_autocast_gpu_dtype": lambda: get_dtype("cuda"),
        "set_autocast_gpu_dtype": lambda dtype: set_dtype("cuda", dtype),
        "is_autocast_cpu_enabled": lambda: is_enabled("cpu"),
        "set_autocast_cpu_enabled": lambda enabled: set_enabled("cpu", enabled),
        "get_autocast_cpu_dtype": lambda: get_dtype("cpu"),
        "set_autocast_cpu_dtype": lambda dtype: set_dtype("cpu", dtype),
    }
    for name, replacement in replacements.items():
        patches.set(torch, name, replacement)
    for device, was in enabled.items():
        set_enabled(device, was)


def _restore_on_undo(patches: Patches) -> None:
    """Put this thread's autocast state back, also where code entered a region and never left it."""
    for device in _SWAPPED:
        patches.on_undo(functools.partial(_set_enabled, device, _is_enabled(device)))
        patches.on_undo(functools.partial(_set_dtype, device, _get_dtype(device)))
    patches.on_undo(functools.partial(torch.set_autocast_cache_enabled, torch.is_autocast_cache_enabled()))
    torch.autocast_increment_nesting()
    depth = torch.autocast_decrement_nesting()

    def leave_open_regions() -> None:
        torch.autocast_increment_nesting()
        while torch.autocast_decrement_nesting() > depth:
            pass
        if depth == 0:
            _clear_cache()

    patches.on_undo(leave_open_regions)
