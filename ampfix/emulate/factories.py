"""Functions that make tensors on a device, and the default device, under emulation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import _get_current_function_mode_stack
from torch.utils import _device

from ampfix.emulate.native_types import legacy_type
from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import CPU, DEVICE, Place, is_plain, mark, place_of, tensor_place

_Base: Any = torch._C.TensorBase
_modes: Callable[[], list[Any]] = _get_current_function_mode_stack

_SAME_OBJECT = ("as_tensor", "asarray")
_LIKE = ("empty_like", "full_like", "ones_like", "rand_like", "randint_like", "randn_like", "zeros_like")
_OTHERS = ("normal", "from_numpy", "frombuffer", "from_file")
_NEW = ("new_empty", "new_empty_strided", "new_full", "new_ones", "new_tensor", "new_zeros")


def _constructors() -> list[tuple[Any, str]]:
    """Where the functions are that torch itself lists as taking a device."""
    listed = _device._device_constructors()
    return [
        (owner, name)
        for owner in (torch, torch.fft, torch.nested)
        for name, value in vars(owner).items()
        if callable(value) and not isinstance(value, type) and value in listed and name not in _SAME_OBJECT
    ]


_CONSTRUCTORS = [*_constructors(), *((torch, name) for name in _OTHERS)]


def emulate_factories(patches: Patches) -> None:
    """Make the functions that take a device take the emulated ones, and remember where their results were put."""
    for owner, name in _CONSTRUCTORS:
        patches.set(owner, name, _factory(getattr(owner, name), _default_place))
    for name in _SAME_OBJECT:
        patches.set(torch, name, _as_tensor(getattr(torch, name)))
    for name in _LIKE:
        patches.set(torch, name, _factory(getattr(torch, name), _place_of_first))
    for name in _NEW:
        patches.set(torch.Tensor, name, _factory(getattr(_Base, name), _place_of_first))


def emulate_default_device(patches: Patches) -> None:
    """Let the default device be CUDA, and put it and the default dtype back afterwards."""
    patches.set(_device.DeviceContext, "__torch_function__", _apply_default(_device.DeviceContext.__torch_function__))
    patches.set(torch, "set_default_tensor_type", _set_default_tensor_type)
    patches.on_undo(functools.partial(torch.set_default_dtype, torch.get_default_dtype()))
    before = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)

    def restore() -> None:
        if getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None) is not before:
            torch.set_default_device(None if before is None else before.device)

    patches.on_undo(restore)


def _place_of_first(args: tuple[Any, ...]) -> Place | None:
    return tensor_place(args[0]) if args and isinstance(args[0], torch.Tensor) else _default_place(args)


def _default_place(_args: tuple[Any, ...]) -> Place | None:
    if torch._C._len_torch_function_stack():
        for mode in reversed(_modes()):
            if isinstance(mode, _device.DeviceContext):
                return place_of(mode.device)
    return "cpu"


def _factory(native: Callable[..., Any], default: Callable[[tuple[Any, ...]], Place | None]) -> Callable[..., Any]:
    """`native`, taking CUDA devices and pinned memory, and remembering where its result was put."""

    @functools.wraps(native)
    def factory(*args: Any, **kwargs: Any) -> Any:
        device = kwargs.get("device")
        place = default(args) if device is None else place_of(device)
        if device is not None and place is not None:
            kwargs["device"] = CPU
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        made = native(*args, **kwargs)
        return mark(made, place) if place is not None and is_plain(made) else made

    return factory


def _as_tensor(native: Callable[..., Any]) -> Callable[..., Any]:
    """torch.as_tensor and torch.asarray return the tensor they are given when nothing changes."""

    @functools.wraps(native)
    def as_tensor(data: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> Any:
        if dtype is not None:
            kwargs["dtype"] = dtype
        place = place_of(device)
        if place is None:
            made = native(data, **kwargs) if device is None else native(data, device=device, **kwargs)
            fresh = is_plain(made) and not isinstance(data, torch.Tensor)
            return mark(made, _default_place(()) or "cpu") if fresh else made
        made = native(data, **kwargs)
        return made.to(DEVICE[place])

    return as_tensor


def _apply_default(native: Any) -> Any:
    def torch_function(self: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.device.type == "cuda":  # memory is the host's, whatever the default says
            return func(*args, **(kwargs or {}))
        return native(self, func, types, args, kwargs)

    return torch_function


def _set_default_tensor_type(t: Any) -> None:
    place, dtype = legacy_type(t)
    torch.set_default_device(None if place == "cpu" else "cuda")
    torch.set_default_dtype(dtype)
