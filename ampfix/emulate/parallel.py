"""Several processes and devices under emulation: one device for DataParallel, gloo for NCCL, children that inherit."""

from __future__ import annotations

import multiprocessing.context
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.popen_fork import Popen
from typing import Any

import torch
import torch.nn.parallel.comm

from ampfix.emulate.errors import UnsupportedCudaApi
from ampfix.emulate.patches import Patches

_groups: list[Any] = []
"""Process groups over gloo, for as long as the process lives: freeing one joins its threads, which may be waiting for
the interpreter's lock that whoever frees it holds (seen in 8 of 25 loops at their end)."""


def emulate_parallel(patches: Patches) -> None:
    """Let DataParallel feed its one device, process groups talk over gloo, and child processes inherit."""
    comm = torch.nn.parallel.comm
    for name in ("broadcast", "broadcast_coalesced", "reduce_add", "reduce_add_coalesced", "gather"):
        patches.set(comm, name, _refusal(name))
    patches.set(comm, "scatter", _scatter)
    # A process started afresh would run without the emulation, in fp32: fork it instead. What CUDA forbids after a fork
    # does not matter here.
    for process in (multiprocessing.context.SpawnProcess, multiprocessing.context.ForkServerProcess):
        patches.set(process, "_Popen", staticmethod(Popen))
    _replace_nccl(patches)


@contextmanager
def gloo_for_nccl() -> Iterator[None]:
    """Let process groups that ask for NCCL, or leave the choice to torch, run over gloo, which moves the same data.

    For machines without NCCL, and for ranks that share a GPU, which NCCL refuses.
    """
    patches = Patches()
    try:
        _replace_nccl(patches)
        yield
    finally:
        patches.undo()


def _replace_nccl(patches: Patches) -> None:
    if not torch.distributed.is_available():
        return
    native: Any = torch.distributed.init_process_group
    native_group: Any = torch.distributed.new_group

    def init_process_group(backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("device_id", None)  # binds the group to one GPU, which gloo refuses
        native(_gloo(backend) or "gloo", *args, **kwargs)
        _groups.append(torch.distributed.distributed_c10d._get_default_group())

    def new_group(ranks: Any = None, timeout: Any = None, backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("device_id", None)
        group = native_group(ranks, timeout, _gloo(backend), *args, **kwargs)
        _groups.append(group)
        return group

    for module in (torch.distributed, torch.distributed.distributed_c10d):
        patches.set(module, "init_process_group", init_process_group)
        patches.set(module, "new_group", new_group)
        patches.set(module, "is_nccl_available", lambda: True)


def _gloo(backend: Any) -> Any:
    return "gloo" if "nccl" in str(backend) else backend


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
