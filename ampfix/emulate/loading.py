"""Checkpoints, storages and generators that name CUDA."""

from __future__ import annotations

from typing import Any

import torch

from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import place_of


def emulate_loading(patches: Patches) -> None:
    """Let `torch.load(map_location=...)` and storages restore "cuda" locations into host memory."""
    native = torch.serialization.default_restore_location

    def restore(storage: Any, location: str) -> Any:
        return native(storage, "cpu" if place_of(location) == "cuda" else location)

    patches.set(torch.serialization, "default_restore_location", restore)
    for storage in (torch.UntypedStorage, torch.TypedStorage):
        patches.set(storage, "cuda", lambda self, device=None, non_blocking=False: self.clone())


def emulate_generators(patches: Patches) -> None:
    """Let `torch.Generator("cuda")` make a host generator that says it is CUDA's."""
    patches.set(torch, "Generator", _generator_class(torch.Generator))


def _generator_class(native: Any) -> Any:
    class _Meta(type(native)):  # type: ignore[misc]
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, native)

    class Generator(native, metaclass=_Meta):  # type: ignore[misc]
        def __new__(cls, device: Any = "cpu") -> Any:
            made = native.__new__(cls, "cpu" if place_of(device) == "cuda" else device)
            made._said = torch.device("cuda", 0) if place_of(device) == "cuda" else None
            return made

        @property
        def device(self) -> torch.device:
            said: torch.device | None = self._said
            return said if said is not None else native.device.__get__(self)

    return Generator
