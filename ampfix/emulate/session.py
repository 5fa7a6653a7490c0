"""Installing the emulation and taking it away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.checkpoint

from ampfix.emulate.autocast import swap_autocast_state
from ampfix.emulate.compiling import emulate_compilers
from ampfix.emulate.cuda_api import emulate_cuda_module
from ampfix.emulate.factories import emulate_default_device, emulate_factories
from ampfix.emulate.kernels import autocast_kernels, install_kernels
from ampfix.emulate.loading import emulate_loading
from ampfix.emulate.native_types import emulate_types
from ampfix.emulate.parallel import emulate_parallel
from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import forget_all
from ampfix.emulate.profiles import DeviceProfile, profile_named
from ampfix.emulate.shadow import fp32_is_forced
from ampfix.emulate.tensors import emulate_tensors

_active: DeviceProfile | None = None

autocast_kernels()  # built on import, so that processes forked afterwards need not


def active_profile() -> DeviceProfile | None:
    """The profile being emulated in this process, None outside `cuda(...)`."""
    return _active


@contextmanager
def cuda(profile: str = "A100") -> Iterator[DeviceProfile]:
    """Run code written for CUDA on the CPU, with CUDA's autocast dtypes and a GradScaler that scales.

    Args:
        profile: a key of `PROFILES`; what the device claims to be.

    Yields:
        The profile.

    Raises:
        ValueError: unknown profile.
        RuntimeError: an emulation is active already.
        UnsupportedCudaApi: from inside, where code asks for what cannot be emulated.
    """
    global _active
    chosen = profile_named(profile)
    if _active is not None:
        raise RuntimeError(f"CUDA is already being emulated ({_active.name}): leave that emulation first")
    patches = Patches()
    try:
        _active = chosen
        patches.on_undo(forget_all)
        install_kernels(patches)
        swap_autocast_state(patches)
        emulate_tensors(patches)
        emulate_factories(patches)
        emulate_default_device(patches)
        emulate_loading(patches)
        emulate_types(patches)
        emulate_compilers(patches)
        emulate_parallel(patches)
        emulate_cuda_module(patches, chosen)
        _forget_default_device_type(patches)
        if not fp32_is_forced():
            assert_active()
        yield chosen
    finally:
        _active = None
        patches.undo()


def assert_active() -> None:
    """Raise `RuntimeError` unless autocast and GradScaler for "cuda" really are at work here.

    Runs one matmul and one exp in an autocast region: float16 and float32 under CUDA's policy, never under the CPU's.
    """
    ones = torch.ones(1, 1)
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.float16):
        product = torch.mm(ones, ones).dtype
        power = torch.mm(ones, ones).exp().dtype
    if product is not torch.float16 or power is not torch.float32 or not torch.amp.GradScaler("cuda").is_enabled():
        raise RuntimeError(
            f"CUDA's autocast policy is not at work here (matmul gives {product}, exp {power}): enter "
            "ampfix.emulate.cuda() before the loop, outside force_fp32()"
        )


def _forget_default_device_type(patches: Patches) -> None:
    """torch.utils.checkpoint caches the accelerator it first saw."""
    owner = torch.utils.checkpoint.DefaultDeviceType
    if "_default_device_type" in vars(owner):
        patches.set(owner, "_default_device_type", "cuda")
