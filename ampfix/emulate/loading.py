"""Checkpoints, storages and generators that name CUDA."""

# ruff: noqa: ARG005 (the parameters are those of torch)
from __future__ import annotations

from typing import Any

import torch

from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import place_of


def emulate_loading(patches: Patches) -> None:
    """Let `torch.load(map_location=...)` and storages restore "cuda" locations into host memory."""
    native: Any = torch.serialization.default_restore_location

    def restore(storage: Any, location: str) -> Any:
        return native(storage, "cpu" if place_of(location) == "cuda" else location)

    patches.set(torch.serialization, "default_restore_location", restore)
    for storage in (torch.UntypedStorage, torch.TypedStorage):
        patches.set(storage, "cuda", lambda self, device=None, non_blocking=False: self.clone())
    patches.set(torch.UntypedStorage, "_new_shared", _new_shared)


@classmethod  # type: ignore[misc]
def _new_shared(cls: Any, size: int, *, device: Any = "cpu") -> Any:
    """Where data loader workers collate: they ask for the device of what they collate."""
    native = torch.storage._StorageBase._new_shared.__func__  # type: ignore[attr-defined]
    return native(cls, size, device="cpu" if place_of(device) == "cuda" else device)
