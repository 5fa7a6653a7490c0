"""Device-aware behaviour of tensors, storages, modules and factory functions under emulation."""

# ruff: noqa: ARG001, ARG005 (the parameters are those of torch)
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import _get_current_function_mode_stack
from torch.utils import _device

from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import CPU, CUDA, DEVICE, Place, known_place, mark, place_of
from ampfix.emulate.types import legacy_type

_Base: Any = torch._C.TensorBase
_native_device = _Base.device.__get__
_native_to = _Base.to
_plain_dispatch = torch.Tensor.__torch_dispatch__

_LIKE = ("empty_like", "full_like", "ones_like", "rand_like", "randint_like", "randn_like", "zeros_like")
_OTHERS = ("normal", "from_numpy", "frombuffer", "from_file")
_NEW = ("new_empty", "new_empty_strided", "new_full", "new_ones", "new_tensor", "new_zeros")
_OWNERS = (torch, torch.fft, torch.nested)


def emulate_tensors(patches: Patches) -> None:
    """Make tensors, modules and factories take and report emulated devices."""
    for name, method in _TENSOR_METHODS.items():
        patches.set(torch.Tensor, name, method)
    for name in _NEW:
        patches.set(torch.Tensor, name, _factory(getattr(_Base, name), _same_place))
    for name, wrapper in _MODULE_METHODS.items():
        patches.set(torch.nn.Module, name, wrapper(torch.nn.Module.__dict__[name]))
    _emulate_factories(patches)
    _emulate_default_device(patches)


# -- tensors ---------------------------------------------------------------------------------------------------------


def _plain(tensor: Any) -> bool:
    """Whether `tensor` is an ordinary one in host memory; those with a dispatch of their own know their device better.

    Reading the native device would not do: under a torch function mode that getter leads back to the emulated one.
    """
    return type(tensor).__torch_dispatch__ is _plain_dispatch and not tensor.is_meta


def tensor_place(tensor: torch.Tensor) -> Place | None:
    """The emulated place of a tensor, None where it lives elsewhere (meta, fake)."""
    return known_place(tensor) or ("cuda" if _plain(tensor) else None)


def _device_of(self: torch.Tensor) -> torch.device:
    if not _plain(self):
        return _native_device(self)
    place = known_place(self)
    return CPU if place == "cpu" else CUDA


def _is_on(place: Place, native: Any) -> property:
    def is_on(self: torch.Tensor) -> bool:
        return _device_of(self).type == place if _plain(self) else bool(native(self))

    return property(is_on)


def _move(tensor: torch.Tensor, place: Place, *args: Any, **kwargs: Any) -> torch.Tensor:
    """`tensor.to(place)`: a copy whenever the tensor would have come from the other device."""
    moved: torch.Tensor = _native_to(tensor, CPU, *args, **kwargs)
    if not _plain(tensor):
        return moved
    if moved is tensor and _comes_from_elsewhere(tensor, place):
        moved = _native_to(tensor, CPU, *args, **{**kwargs, "copy": True})
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


# -- modules ---------------------------------------------------------------------------------------------------------


def _mark_module(module: torch.nn.Module, place: Place) -> torch.nn.Module:
    for tensor in (*module.parameters(), *module.buffers()):
        if _plain(tensor):
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


_MODULE_METHODS: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "to": _module_to,
    "to_empty": _module_to,
    "cuda": functools.partial(_module_move, "cuda"),
    "cpu": functools.partial(_module_move, "cpu"),
}


# -- factories -------------------------------------------------------------------------------------------------------


def _same_place(args: tuple[Any, ...]) -> Place | None:
    return tensor_place(args[0]) if args and isinstance(args[0], torch.Tensor) else _default_place(args)


def _default_place(_args: tuple[Any, ...]) -> Place | None:
    if torch._C._len_torch_function_stack():
        for mode in reversed(_get_current_function_mode_stack()):
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
        return mark(made, place) if place is not None and _plain(made) else made

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
            return (
                made if isinstance(data, torch.Tensor) or not _plain(made) else mark(made, _default_place(()) or "cpu")
            )
        made = native(data, **kwargs)
        return made.to(DEVICE[place])

    return as_tensor


def _emulate_factories(patches: Patches) -> None:
    # torch's own list of the functions that take a device. It is cached on first use, so fill it before patching.
    constructors = _device._device_constructors()
    for owner in _OWNERS:
        for name, native in list(vars(owner).items()):
            if not callable(native) or isinstance(native, type):
                continue
            if name in ("as_tensor", "asarray") and owner is torch:
                patches.set(owner, name, _as_tensor(native))
            elif native in constructors or (owner is torch and name in _OTHERS):
                patches.set(owner, name, _factory(native, _default_place))
            elif owner is torch and name in _LIKE:
                patches.set(owner, name, _factory(native, _same_place))


def _emulate_default_device(patches: Patches) -> None:
    native: Any = _device.DeviceContext.__torch_function__

    def torch_function(self: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.device.type == "cuda":
            return func(*args, **(kwargs or {}))
        return native(self, func, types, args, kwargs)

    patches.set(_device.DeviceContext, "__torch_function__", torch_function)

    def set_default_tensor_type(t: Any) -> None:
        place, dtype = legacy_type(t)
        torch.set_default_device(None if place == "cpu" else "cuda")
        torch.set_default_dtype(dtype)

    patches.set(torch, "set_default_tensor_type", set_default_tensor_type)
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)

    def restore(dtype: torch.dtype) -> None:
        torch.set_default_dtype(dtype)
        if getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None) is not context:
            torch.set_default_device(None if context is None else context.device)

    patches.on_undo(functools.partial(restore, torch.get_default_dtype()))
