"""Memory figures of the emulated GPU: the host process's own, counted from when the emulation began."""

# ruff: noqa: ARG001, ARG005 (the parameters are those of torch.cuda)
from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

from ampfix.emulate.profiles import DeviceProfile

_PAGE = resource.getpagesize()
_STATM = Path("/proc/self/statm")


def _resident() -> int:
    """Resident bytes of this process; its high-water mark where /proc is absent (macOS reports bytes)."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class _Meter:
    """Resident memory since `baseline` and the highest value seen when somebody asked."""

    def __init__(self) -> None:
        self._baseline = _resident()
        self._peak = 0

    def current(self) -> int:
        resident = _resident()
        self._baseline = min(self._baseline, resident)  # what was there before may have been given back meanwhile
        now = resident - self._baseline
        self._peak = max(self._peak, now)
        return now

    def peak(self) -> int:
        self.current()
        return self._peak

    def reset(self) -> None:
        self._peak = 0


def api(profile: DeviceProfile) -> dict[str, Any]:
    """The memory functions of torch.cuda, in bytes. They describe the host process: use them for logs only."""
    meter = _Meter()

    def current(device: Any = None) -> int:
        return meter.current()

    def peak(device: Any = None) -> int:
        return meter.peak()

    def reset(device: Any = None) -> None:
        meter.reset()

    def stats(device: Any = None) -> dict[str, int]:
        names = ("allocated_bytes.all", "reserved_bytes.all", "active_bytes.all")
        figures = {"current": meter.current(), "peak": meter.peak()}
        return {f"{name}.{kind}": value for name in names for kind, value in figures.items()}

    def summary(device: Any = None, abbreviated: bool = False) -> str:
        return f"{profile.device_name} (emulated): host process {meter.current()} bytes, peak {meter.peak()} bytes"

    def info(device: Any = None) -> tuple[int, int]:
        return max(0, profile.total_memory - meter.current()), profile.total_memory

    readers = ("memory_allocated", "memory_reserved", "memory_cached", "device_memory_used")
    peaks = ("max_memory_allocated", "max_memory_reserved", "max_memory_cached")
    resets = (
        "reset_peak_memory_stats",
        "reset_max_memory_allocated",
        "reset_max_memory_cached",
        "reset_accumulated_memory_stats",
    )
    return {
        **dict.fromkeys(readers, current),
        **dict.fromkeys(peaks, peak),
        **dict.fromkeys(resets, reset),
        "memory_stats": stats,
        "memory_summary": summary,
        "mem_get_info": info,
        "empty_cache": lambda: None,
        "set_per_process_memory_fraction": lambda fraction, device=None: None,
        "get_per_process_memory_fraction": lambda device=None: 1.0,
        "get_allocator_backend": lambda: "native",
    }
