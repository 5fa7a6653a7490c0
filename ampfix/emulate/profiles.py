"""What each emulated GPU claims about itself. Imports no torch: the linter's docs and the lab read it too.

Sources: NVIDIA's architecture whitepapers and data sheets (multiprocessors, memory, tensor-core dtypes) and the
CUDA C programming guide's table of compute capabilities (threads per multiprocessor).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_GIB = 1 << 30


@dataclass(frozen=True)
class DeviceProfile:
    """One GPU as torch would describe it.

    Attributes:
        name: key in `PROFILES`.
        device_name: what `torch.cuda.get_device_name()` returns.
        capability: compute capability (major, minor).
        accelerated: dtypes its tensor cores multiply, by torch's names; "tfloat32" is float32 with TF32 allowed.
        total_memory: nominal memory in bytes (a real driver reports a little less).
        multi_processor_count: streaming multiprocessors.
        max_threads_per_multi_processor: resident threads per multiprocessor.
    """

    name: str
    device_name: str
    capability: tuple[int, int]
    accelerated: frozenset[str]
    total_memory: int
    multi_processor_count: int
    max_threads_per_multi_processor: int

    def accelerates(self, dtype: object) -> bool:
        """Whether tensor cores run `dtype` (a `torch.dtype` or its name, with or without the "torch." prefix)."""
        return str(dtype).removeprefix("torch.") in self.accelerated


_VOLTA = frozenset({"float16"})
_AMPERE = _VOLTA | {"bfloat16", "tfloat32"}
_HOPPER = _AMPERE | {"float8_e4m3fn", "float8_e5m2"}

_ALL = (
    DeviceProfile("V100", "Tesla V100-SXM2-16GB", (7, 0), _VOLTA, 16 * _GIB, 80, 2048),
    DeviceProfile("T4", "Tesla T4", (7, 5), _VOLTA, 16 * _GIB, 40, 1024),
    DeviceProfile("A100", "NVIDIA A100-SXM4-40GB", (8, 0), _AMPERE, 40 * _GIB, 108, 2048),
    DeviceProfile("RTX3090", "NVIDIA GeForce RTX 3090", (8, 6), _AMPERE, 24 * _GIB, 82, 1536),
    DeviceProfile("RTX4090", "NVIDIA GeForce RTX 4090", (8, 9), _HOPPER, 24 * _GIB, 128, 1536),
    DeviceProfile("H100", "NVIDIA H100 80GB HBM3", (9, 0), _HOPPER, 80 * _GIB, 132, 2048),
)

PROFILES: Mapping[str, DeviceProfile] = MappingProxyType({profile.name: profile for profile in _ALL})


def profile_named(name: str) -> DeviceProfile:
    """The profile called `name`; `ValueError` naming the known ones otherwise."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise ValueError(f"unknown device profile {name!r}: choose one of {known}") from None


def accelerated_by(capability: tuple[int, int]) -> frozenset[str]:
    """What tensor cores of a compute capability multiply: it comes with the generation, so that of the newest known
    device that is not newer."""
    known = [profile for profile in _ALL if profile.capability <= capability]
    return max(known, key=lambda profile: profile.capability).accelerated if known else frozenset()
