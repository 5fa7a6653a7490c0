"""The GPU that loops run on with --device cuda, as far as verdicts depend on it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ampfix.emulate.profiles import PROFILES, accelerated_by, profile_named
from ampfix.lab.spec import ScenarioSpec

_SUITED = frozenset({"float16", "bfloat16"})


@dataclass(frozen=True)
class Gpu:
    """One CUDA device. name: as torch says it. cuda: the version torch was built for."""

    name: str
    capability: tuple[int, int]
    cuda: str = ""

    @property
    def device_class(self) -> str:
        """What thresholds of time go by: the name of a known profile, else the device's own."""
        for known in PROFILES:
            spelled = re.sub(r"(?<=[A-Z])(?=\d{4})", " ?", known)
            if re.search(rf"\b{spelled}\b", self.name):
                return known
        return self.name.removeprefix("NVIDIA ").strip()

    @property
    def accelerated(self) -> frozenset[str]:
        """The dtypes of at most 16 bits that its tensor cores multiply."""
        return accelerated_by(self.capability) - {"tfloat32"}


def misfit(spec: ScenarioSpec, gpu: Gpu) -> str:
    """Why a scenario cannot show on this device what it claims; empty where it can."""
    claimed = profile_named(spec.device.profile).accelerated & _SUITED
    if claimed == gpu.accelerated & _SUITED:
        return ""
    return f"it is about a {spec.device.profile}, whose tensor cores take other dtypes than this {gpu.device_class}'s"
