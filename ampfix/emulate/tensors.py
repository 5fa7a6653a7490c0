"""How tensors and modules move and where they say they are, under emulation."""

# ruff: noqa: ARG001, ARG005 (the parameters are those of torch)
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils import rnn

from ampfix.emulate.native_types import legacy_type
from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import CPU, CUDA, DEVICE, Place, is_plain, known_place, mark, place_of, tensor_place

_Base: Any = torch._C.TensorBase
_native_to: Callable[..., torch.Tensor] = _Base.to


def emulate_tensors(patches: Patches) -> None:
    """Make tensors and modules take and report emulated devices."""
    for name, method in _TENSOR_METHODS.items():
        patches.set(torch.Tensor, name, method)
    for name, wrapper in _MODULE_METHODS.items():
        patches.set(torch.nn.Module, name, wrapper(torch.nn.Module.__dict__[name]))
    patches.set(rnn, "_packed_sequence_init_args", _pack(rnn._packed_sequence_init_args))


def _device_of(self: torch.Tensor) -> torch.device:
    if not is_plain(self):
        return _Base.device.__get__(self)  # type: ignore[no-any-return]
    place = known_place(self)
    return CPU if place == "cpu" else CUDA


def _is_on(place: Place, native: Any) -> property:
    def is_on(self: torch.Tensor) -> bool:
        return _device_of(self).type == place if is_plain(self) else bool(native(self))

    return property(is_on)


def _move(tensor: torch.Tensor, place: Place, *args: Any, **kwargs: Any) -> torch.Tensor:
    """`tensor.to(place)`: a copy whenever the tensor would have come from the other device."""
    moved = _native_to(tensor, CPU, *args, **kwargs)
    if not is_plain(tensor):
        return moved
    if moved is tensor and _comes_from_elsewhere(tensor, place):
        moved = _native_to(tensor, CPU, copy=True)
    mark(moved, place)
    return moved


def _comes_from_elsewhere(tensor: torch.Tensor, place: Place) -> bool:
    known = known_place(tensor)
    if known is not None:
        return known != place
    # Unknown: the result of an operator or a parameter, which are on the GPU, or data made out of sight, which is not
    # but may be copied without harm.
    return place == "cpu" or not tensor.requires_grad


def _to(self: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    target = kwargs.get("device", args[0] if args else kwargs.get("other"))
    if isinstance(target, torch.dtype):
        return _native_to(self, *args, **kwargs)
    if isinstance(target, torch.Tensor):
        place = tensor_place(target)
        if place is None:
            return _native_to(self, *args, **kwargs)
        rest = {name: value for name, value in kwargs.items() if name != "other"}
        return _move(self, place, target.dtype, *args[1:], **rest)
    place = place_of(target)
    if place is None:
        return _native_to(self, *args, **kwargs)
    if "device" in kwargs:
        return _move(self, place, *args, **{name: value for name, value in kwargs.items() if name != "device"})
    return _move(self, place, *args[1:], **kwargs)


def _cuda(self: torch.Tensor, device: Any = None, non_blocking: bool = False, **kwargs: Any) -> torch.Tensor:
    place = "cuda" if device is None else place_of(device)
    if place != "cuda":
        raise ValueError(f"Invalid device, must be cuda device, got {device!r}")
    return _move(self, "cuda", non_blocking=non_blocking, **kwargs)


def _cpu(self: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    return _move(self, "cpu", **kwargs)


def _get_device(self: torch.Tensor) -> int:
    return 0 if _device_of(self).type == "cuda" else int(_Base.get_device(self))


def _type(self: torch.Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    if dtype is None:
        name = _Base.type(self)
        return name.replace("torch.", "torch.cuda.", 1) if _device_of(self).type == "cuda" else name
    if isinstance(dtype, torch.dtype):
        return _Base.type(self, dtype, non_blocking, **kwargs)
    # A legacy tensor type, or its name, says the device as well: torch.FloatTensor, torch.cuda.FloatTensor.
    place, wanted = legacy_type(dtype)
    return _move(self, place, wanted, non_blocking)


def _pin_memory(self: torch.Tensor, device: Any = None) -> torch.Tensor:
    return mark(self, "cpu") if known_place(self) is None else self


_TENSOR_METHODS: dict[str, Any] = {
    "device": property(_device_of),
    "is_cuda": _is_on("cuda", _Base.is_cuda.__get__),
    "is_cpu": _is_on("cpu", _Base.is_cpu.__get__),
    "to": _to,
    "cuda": _cuda,
    "cpu": _cpu,
    "get_device": _get_device,
    "type": _type,
    "pin_memory": _pin_memory,
    "record_stream": lambda self, stream: None,
}


def _mark_module(module: torch.nn.Module, place: Place) -> torch.nn.Module:
    for tensor in (*module.parameters(), *module.buffers()):
        if is_plain(tensor):
            mark(tensor, place)
    return module


def _module_to(native: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(native)
    def to(self: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
        target = kwargs.get("device", args[0] if args else kwargs.get("tensor"))
        place = tensor_place(target) if isinstance(target, torch.Tensor) else None
        if place is None and not isinstance(target, (torch.Tensor, torch.dtype)):
            place = place_of(target)
        if place is not None and "device" in kwargs:
            kwargs = {**kwargs, "device": DEVICE[place]}
        elif place is not None and not isinstance(target, torch.Tensor):
            args = (DEVICE[place], *args[1:])
        native(self, *args, **kwargs)
        return self if place is None else _mark_module(self, place)

    return to


def _module_move(place: Place, native: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(native)
    def move(self: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
        native(self, *args, **kwargs)
        return _mark_module(self, place)

    return move


def _pack(native: Callable[..., Any]) -> Callable[..., Any]:
    """A packed sequence keeps its batch sizes on the host whatever device its data is on, and checks that."""

    def packed_sequence_init_args(data: Any, batch_sizes: Any = None, *args: Any, **kwargs: Any) -> Any:
        if batch_sizes is not None:
            mark(batch_sizes, "cpu")
        return native(data, batch_sizes, *args, **kwargs)

    return packed_sequence_init_args


_MODULE_METHODS: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "to": _module_to,
    "to_empty": _module_to,
    "cuda": functools.partial(_module_move, "cuda"),
    "cpu": functools.partial(_module_move, "cpu"),
}
