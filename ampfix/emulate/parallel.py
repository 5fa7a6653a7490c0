"""Several processes and devices under emulation: one device for DataParallel, no NCCL, children that inherit."""

from __future__ import annotations

import multiprocessing.context
from multiprocessing.popen_fork import Popen
from typing import Any

import torch
import torch.nn.parallel.comm

from ampfix.emulate.errors import UnsupportedCudaApi
from ampfix.emulate.patches import Patches


def emulate_parallel(patches: Patches) -> None:
    """Let DataParallel feed its one device, refuse process groups over NCCL, have child processes inherit."""
    comm = torch.nn.parallel.comm
    for name in ("broadcast", "broadcast_coalesced", "reduce_add", "reduce_add_coalesced", "gather"):
        patches.set(comm, name, _refusal(name))
    patches.set(comm, "scatter", _scatter)
    # A process started afresh would run without the emulation, in fp32: fork it instead. What CUDA forbids after a fork
    # does not matter here.
    for process in (multiprocessing.context.SpawnProcess, multiprocessing.context.ForkServerProcess):
        patches.set(process, "_Popen", staticmethod(Popen))
    if torch.distributed.is_available():
        native: Any = torch.distributed.init_process_group

        def init_process_group(backend: Any = None, *args: Any, **kwargs: Any) -> Any:
            if "nccl" in str(backend):
                raise UnsupportedCudaApi(
                    'torch.distributed.init_process_group("nccl"): the emulated GPU has no NCCL; use "gloo" there'
                )
            return native(backend, *args, **kwargs)

        for module in (torch.distributed, torch.distributed.distributed_c10d):
            patches.set(module, "init_process_group", init_process_group)


def _refusal(name: str) -> Any:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise UnsupportedCudaApi(
            f"torch.cuda.comm.{name}(): the emulated machine has one GPU and no links between GPUs"
        )

    return refuse


def _scatter(tensor: torch.Tensor, devices: Any = None, *_args: Any, **_kwargs: Any) -> tuple[torch.Tensor, ...]:
    """The one chunk that the one device gets."""
    if devices is not None and len(devices) != 1:
        raise UnsupportedCudaApi(f"scatter over {len(devices)} devices: the emulated machine has one GPU, cuda:0")
    return (tensor.to("cuda"),)
