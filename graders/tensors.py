"""Tensors by name as safetensors: modules and batches to bytes and back. No pickle anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from graders.ampfix_task import Batch

_WRAPPERS = frozenset({"module", "_orig_mod"})  # DistributedDataParallel's and torch.compile's attribute


def state_of(modules: Mapping[str, nn.Module], expected: Iterable[str]) -> dict[str, torch.Tensor]:
    """The state of all modules as "NAME.KEY" -> tensor, detached copies on the CPU.

    expected: the keys of the unwrapped modules. Where a module was wrapped, its wrappers' names are dropped.
    """
    wanted = set(expected)
    state = {
        f"{name}.{key}": tensor
        for name, module in modules.items()
        if isinstance(module, nn.Module)
        for key, tensor in module.state_dict().items()
        if isinstance(tensor, torch.Tensor)
    }
    return {
        key if key in wanted else _unwrapped(key): tensor.detach().to("cpu", copy=True).contiguous()
        for key, tensor in state.items()
    }


def _unwrapped(key: str) -> str:
    return ".".join(part for part in key.split(".") if part not in _WRAPPERS)


def load_state(modules: Mapping[str, nn.Module], state: Mapping[str, torch.Tensor]) -> None:
    """Put "NAME.KEY" tensors into the modules. Raises RuntimeError unless keys and shapes match exactly."""
    for name, module in modules.items():
        prefix = f"{name}."
        module.load_state_dict({key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)})


def dump(state: Mapping[str, torch.Tensor]) -> bytes:
    return safetensors.torch.save(dict(state))


def read(path: Path) -> dict[str, torch.Tensor]:
    """Raises OSError, or safetensors.SafetensorError for a malformed file."""
    return safetensors.torch.load_file(path)


def header_bytes(path: Path) -> int:
    """The length that a safetensors file claims for its header. Raises OSError; ValueError where there is none."""
    with path.open("rb") as file:
        length = file.read(8)
    if len(length) < 8:
        raise ValueError("no header")
    return int.from_bytes(length, "little")


def dump_batches(batches: list[Batch]) -> bytes:
    return dump(
        {f"{i:06d}.{j:02d}": tensor.contiguous() for i, batch in enumerate(batches) for j, tensor in enumerate(batch)}
    )


def read_batches(path: Path) -> list[Batch]:
    batches: dict[str, list[torch.Tensor]] = {}
    for key, tensor in sorted(read(path).items()):
        batches.setdefault(key.split(".")[0], []).append(tensor)
    return [tuple(batch) for _, batch in sorted(batches.items())]
