"""A real GPU for a jailed run: what of the host it needs, what torch is told, and what torch says of it.

Nothing here may be called in a process that will fork: CUDA does not survive a fork, so a run's own process is the
first one to touch it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

_NODES = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "nvidia-caps/*", "dxg")
_DRIVER = "libcuda.so*"
_DRIVER_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib", "/usr/lib/wsl/lib", "/usr/local/cuda/compat", "/run/opengl-driver/lib",
)  # fmt: skip
_FOLDERS = ("/usr/local/nvidia", "/usr/local/cuda", "/opt/cuda", "/etc/nvidia", "/etc/OpenCL")
_SHOWN_ANYWAY = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/local/lib64")
_KERNEL = ("/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/module/nvidia_uvm", "/sys/class/pci_bus")
"""The driver looks up memory blocks, NUMA nodes and PCI addresses there."""
_PASSED_ON = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MODULE_LOADING", "LD_LIBRARY_PATH")

_FIXED_WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""cuBLAS adds in the same order each time only with a workspace of fixed size
(https://docs.nvidia.com/cuda/cublas/#results-reproducibility)."""


def devices(root: Path = Path("/dev")) -> tuple[str, ...]:
    """The device nodes of every GPU and of the driver."""
    return tuple(sorted(str(path) for pattern in _NODES for path in root.glob(pattern) if not path.is_dir()))


def folders(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Folders beside the system's that the driver and CUDA's libraries lie in, those they are linked to included."""
    searched = [Path(name) for name in environment.get("LD_LIBRARY_PATH", "").split(":") if name.startswith("/")]
    searched += map(Path, (*_DRIVER_FOLDERS, *_FOLDERS, *_KERNEL))
    found = (folder for path in searched for folder in _with_targets(path))
    return tuple(dict.fromkeys(str(path) for path in found if not any(map(path.is_relative_to, _SHOWN_ANYWAY))))


def _with_targets(folder: Path) -> Iterator[Path]:
    """The folder if it is there, and the folders that the driver's libraries in it really lie in."""
    if not folder.is_dir():
        return
    yield folder
    if folder.resolve() != folder:
        yield folder.resolve()
    for library in sorted(folder.glob(_DRIVER)):
        if library.resolve().parent not in (folder, folder.resolve()):
            yield library.resolve().parent


def environment(host: Mapping[str, str]) -> dict[str, str]:
    """The variables that a run on the GPU starts with, beside the jail's own."""
    return {name: host[name] for name in _PASSED_ON if name in host}


def configure(precision: str, variables: Mapping[str, str], *, repeatable: bool) -> None:
    """Set torch up for a run, before anything of CUDA is used; it uses nothing of CUDA itself, so ranks may follow.

    precision "fp32" means IEEE float32, and "tf32" float32 on tensor cores; "as_written" leaves torch's defaults.
    repeatable: ask for deterministic kernels, which a run that is timed must not.
    """
    os.environ.update(variables)
    if repeatable:
        os.environ.update(_FIXED_WORKSPACE)
    if precision != "as_written":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    if repeatable:
        warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # or torch.empty would be NaN here alone
        torch.backends.cudnn.benchmark = False


def must_be_usable() -> None:
    """Use the device for the first time. Raises RuntimeError or AssertionError that says why it cannot be used."""
    if torch.cuda._is_in_bad_fork():
        raise RuntimeError("the server used CUDA before it forked this run")
    torch.cuda.init()
    torch.zeros(1, device="cuda")  # the context, and the first allocation
    torch.cuda.synchronize()


def rehearse(variables: Mapping[str, str], _descriptor: int) -> None:
    """What every run on the GPU needs, done once inside a jail: a context, a product, and its value back."""
    configure("as_written", variables, repeatable=True)
    must_be_usable()
    ones = torch.ones(64, 64, device="cuda", dtype=torch.float16)
    if (ones @ ones).sum().item() != 64.0**3:
        raise RuntimeError("the GPU multiplies wrongly")


def facts() -> dict[str, Any]:
    """What torch says of the device and of this process's use of it. peak_bytes: most that tensors ever held."""
    return {
        "name": torch.cuda.get_device_name(),
        "capability": list(torch.cuda.get_device_capability()),
        "peak_bytes": torch.cuda.max_memory_allocated(),
    }


def describe() -> dict[str, Any]:
    """The device for the lab: name, capability and torch's CUDA version. Runs in a process of its own.

    `problem` says why there is none.
    """
    try:
        must_be_usable()
    except (RuntimeError, AssertionError) as error:
        return {"problem": " ".join(str(error).split())[:300]}
    found = facts()
    return {"problem": "", "name": found["name"], "capability": found["capability"], "cuda": torch.version.cuda or ""}
