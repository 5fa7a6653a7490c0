"""The device at hand, as far as precision goes: its name, and the dtypes that it multiplies in hardware."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ampfix.emulate.profiles import PROFILES, DeviceProfile


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


def accelerated_by(capability: tuple[int, int]) -> frozenset[str]:
    """What tensor cores of a compute capability multiply: it comes with the generation, so that of the newest known
    device that is not newer."""
    known = [profile for profile in PROFILES.values() if profile.capability <= capability]
    return max(known, key=_capability).accelerated if known else frozenset()


def _capability(profile: DeviceProfile) -> tuple[int, int]:
    return profile.capability


def _cpu_formats() -> frozenset[str]:
    """bfloat16 where the processor has instructions for it; elsewhere torch widens it to float32 first."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    found = any(probe() for name in probes if (probe := getattr(torch.cpu, name, None)) is not None)
    return frozenset({"bfloat16"}) if found else frozenset()
