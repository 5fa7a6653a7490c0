"""The device at hand, as far as precision goes: its name, and the dtypes that it multiplies in hardware."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ampfix.emulate.profiles import accelerated_by


@dataclass(frozen=True)
class Place:
    """kind: "cuda" or "cpu". accelerated: dtypes of its matrix units, by torch's names; "tfloat32" for TF32."""

    kind: str
    name: str
    accelerated: frozenset[str]

    @property
    def device(self) -> torch.device:
        return torch.device(self.kind)


def here() -> Place:
    """The CUDA device where there is one, else the CPU."""
    if torch.cuda.is_available():
        return Place("cuda", torch.cuda.get_device_name(), accelerated_by(torch.cuda.get_device_capability()))
    return Place("cpu", "CPU", _cpu_formats())


def _cpu_formats() -> frozenset[str]:
    """bfloat16 where the processor has instructions for it; elsewhere torch widens it to float32 first."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    found = any(probe() for name in probes if (probe := getattr(torch.cpu, name, None)) is not None)
    return frozenset({"bfloat16"}) if found else frozenset()
