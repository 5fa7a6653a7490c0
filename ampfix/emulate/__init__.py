"""CUDA's numerics on a CPU.

`with cuda(profile="A100"):` runs a training loop written for CUDA, unedited, on the CPU: autocast follows CUDA's
operator policy, GradScaler scales, `.cuda()` and `device="cuda"` work, and the device claims to be the profile's.
Importing this package imports no torch; entering `cuda` does.

What remains untrue inside:

- Memory is one. Where a tensor is gets remembered for what factories and moves returned; results of operators and
  parameters count as CUDA's, so a host tensor mixed in by mistake raises no error.
- Arithmetic is the CPU's: accumulation order, TF32 and fused kernels are not those of a GPU, random streams neither.
- One generator serves both devices, memory figures are the host process's, and times are a CPU's.
- `torch.compile` runs eagerly, the choice of attention kernel is ignored, processes that would be spawned are forked,
  and process groups that ask for NCCL run over gloo.
- CUDA graphs, custom kernels and whatever else has no counterpart raise `UnsupportedCudaApi`; errors of torch's own
  that come from the emulation rather than from the program are recognised by `unsupported_reason`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampfix.emulate.errors import UnsupportedCudaApi, unsupported_reason
from ampfix.emulate.profiles import PROFILES, DeviceProfile

if TYPE_CHECKING:
    from ampfix.emulate.parallel import gloo_for_nccl
    from ampfix.emulate.session import active_profile, assert_active, cuda
    from ampfix.emulate.shadow import force_fp32

__all__ = [
    "PROFILES",
    "DeviceProfile",
    "UnsupportedCudaApi",
    "active_profile",
    "assert_active",
    "cuda",
    "force_fp32",
    "gloo_for_nccl",
    "unsupported_reason",
]

_HOME = {
    "active_profile": "session",
    "assert_active": "session",
    "cuda": "session",
    "force_fp32": "shadow",
    "gloo_for_nccl": "parallel",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
