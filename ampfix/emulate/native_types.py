"""Stand-ins for C types whose constructors would look for a GPU: torch.device, torch.Generator, torch.cuda.FloatTensor.

Their constructors cannot be patched, so the names are bound to classes that make native objects and accept them in
isinstance.
"""

from __future__ import annotations

import copyreg
from typing import Any

import torch

from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import CUDA, Place, known_place, mark, place_of

_LEGACY = ("BFloat16", "Bool", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short")


class _CudaTensorType(type):
    """`torch.cuda.FloatTensor` and its kind: constructs tensors of a dtype, and recognises them."""

    @property
    def _host(cls) -> Any:
        return getattr(torch, cls.__name__)

    @property
    def dtype(cls) -> torch.dtype:
        dtype: torch.dtype = cls._host.dtype
        return dtype

    def __call__(cls, *args: Any) -> Any:
        return mark(cls._host(*args), "cuda")

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls._host) and known_place(instance) != "cpu"


def legacy_type(named: Any) -> tuple[Place, torch.dtype]:
    """Device and dtype of a legacy tensor type, or of its name ("torch.cuda.HalfTensor")."""
    if isinstance(named, str):
        owner, _, name = named.rpartition(".")
        if owner not in ("torch", "torch.cuda") or name.removesuffix("Tensor") not in _LEGACY:
            raise ValueError(f"invalid type: {named!r}")
        return ("cuda" if owner == "torch.cuda" else "cpu"), getattr(torch, name).dtype
    return ("cuda" if isinstance(named, _CudaTensorType) else "cpu"), named.dtype


def emulate_types(patches: Patches) -> None:
    """Let `torch.device(0)` mean cuda:0 and `torch.Generator("cuda")` make a host generator."""
    generator = _generator_class(torch.Generator)
    device = _device_class(torch.device)
    # Pickle writes a class by name and checks that the name leads back to it: from now on it leads to the stand-in.
    native: Any = torch.device
    copyreg.pickle(native, lambda made: (device, (made.type,) if made.index is None else (made.type, made.index)))
    patches.on_undo(lambda: copyreg.dispatch_table.pop(native))
    patches.set(torch, "device", device)
    patches.set(torch, "Generator", generator)
    for name in _LEGACY:
        patches.set(torch.cuda, f"{name}Tensor", _CudaTensorType(f"{name}Tensor", (), {}))


def _device_class(native: Any) -> Any:
    class Meta(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if len(args) == 1 and not kwargs and isinstance(args[0], int) and not isinstance(args[0], bool):
                return native("cuda", args[0])
            return native(*args, **kwargs)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, native)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return subclass is cls or issubclass(subclass, native)

    return Meta("device", (), {"__doc__": native.__doc__, "__module__": "torch"})


def _generator_class(native: Any) -> Any:
    class Meta(type(native)):  # type: ignore[misc]
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, native)

    class Generator(native, metaclass=Meta):  # type: ignore[misc]
        def __new__(cls, device: Any = "cpu") -> Any:
            on_cuda = place_of(device) == "cuda"
            made = native.__new__(cls, "cpu" if on_cuda else device)
            made._on_cuda = on_cuda
            return made

        @property
        def device(self) -> torch.device:
            native_device: torch.device = native.device.__get__(self)
            return CUDA if self._on_cuda else native_device

    return Generator
