"""torch's deprecated AMP names and what each one became: one table.

Sources: the deprecation markers and signatures of torch/cuda/amp, torch/cpu/amp and torch/csrc/autograd/init.cpp (torch
2.13). Positional parameters moved: `device_type` or `device` came first and `enabled` changed places with `dtype`, so
old positional arguments become keywords.
"""

from __future__ import annotations

from enum import Enum

from ampfix.records import dataclass


class Device(Enum):
    """How the successor is told the device."""

    FIRST = "first"  # as first positional argument
    KEYWORD = "device_type"  # as the keyword `device_type`


@dataclass(frozen=True)
class Successor:
    """name: below `torch`. parameters: the old positional ones, in order; None: they keep their places.

    since: the first torch release that has it, in this form.
    """

    name: str
    device: str
    passed: Device
    parameters: tuple[str, ...] | None
    since: tuple[int, int]
    is_class: bool = False

    def __str__(self) -> str:
        """How a call of it looks, without its other arguments."""
        others = "" if self.name.startswith(("get_", "is_")) else "..."
        device = f'"{self.device}"' if self.passed is Device.FIRST else f'device_type="{self.device}"'
        order = (device, others) if self.passed is Device.FIRST else (others, device)
        return f"torch.{self.name}({', '.join(part for part in order if part)})"


_AUTOCAST = ("enabled", "dtype", "cache_enabled")
_SCALER = ("init_scale", "growth_factor", "backoff_factor", "growth_interval", "enabled")


def _table() -> dict[str, Successor]:
    table: dict[str, Successor] = {}
    for device in ("cuda", "cpu"):
        for module in ("", "autocast_mode."):
            autocast = Successor("amp.autocast", device, Device.FIRST, _AUTOCAST, (1, 10), True)
            table[f"torch.{device}.amp.{module}autocast"] = autocast
        for module in ("", "grad_scaler."):
            scaler = Successor("amp.GradScaler", device, Device.FIRST, _SCALER, (2, 3), True)
            table[f"torch.{device}.amp.{module}GradScaler"] = scaler
    for name in ("custom_fwd", "custom_bwd"):
        for module in ("", "autocast_mode."):
            table[f"torch.cuda.amp.{module}{name}"] = Successor(f"amp.{name}", "cuda", Device.KEYWORD, None, (2, 4))
    for word, device in {"gpu": "cuda", "cpu": "cpu", "xla": "xla", "ipu": "ipu"}.items():
        for verb in ("get", "set"):
            table[f"torch.{verb}_autocast_{word}_dtype"] = _helper(f"{verb}_autocast_dtype", device)
        if word != "gpu":
            table[f"torch.is_autocast_{word}_enabled"] = _helper("is_autocast_enabled", device)
            table[f"torch.set_autocast_{word}_enabled"] = _helper("set_autocast_enabled", device)
    return table


def _helper(name: str, device: str) -> Successor:
    return Successor(name, device, Device.FIRST, None, (2, 4))


SUCCESSORS = _table()
"""Qualified deprecated name -> successor."""
