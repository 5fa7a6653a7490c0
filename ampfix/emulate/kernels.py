"""CUDA's autocast kernels, installed over torch's AutocastCPU ones.

Each kernel mirrors a template of aten/src/ATen/autocast_mode.h: it casts its arguments with autocast off, then calls
the operator again. Where both backends follow the same rule, torch's own CPU kernel stays: it is the same template.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import torch

from ampfix.emulate.errors import UnsupportedCudaApi
from ampfix.emulate.patches import Patches
from ampfix.emulate.policy import Category, op_policy

Kernel = Callable[..., Any]

_NoAutocast = torch._C._DisableAutocast
_NoTorchFunction = torch._C.DisableTorchFunction
_native_dtype = torch._C.get_autocast_dtype
_to = torch._C.TensorBase.to
_cache_enabled = torch._C.is_autocast_cache_enabled

# cuDNN's recurrent layers cast input, hidden state and weights (aten::_cudnn_rnn is absent from CPU builds), so the
# operators that would reach cuDNN stand in for it.
_CUDNN_RNN = tuple(
    f"aten::{cell}.{form}" for cell in ("lstm", "gru", "rnn_tanh", "rnn_relu") for form in ("input", "data")
)

# CUDA runs these in half precision, accumulating in float32; a CPU has no half kernel for them.
_HALF_VIA_FP32 = ("aten::avg_pool3d",)

_APPENDS_DTYPE = {  # at::autocast calls the overload that takes a dtype
    "aten::norm.Scalar": "ScalarOpt_dtype",
    "aten::norm.ScalarOpt_dim": "ScalarOpt_dim_dtype",
    "aten::norm.names_ScalarOpt_dim": "names_ScalarOpt_dim_dtype",
}


class WeightCache:
    """Casts of float32 leaves, kept until the outermost autocast region exits, stale or not, as torch keeps them."""

    def __init__(self) -> None:
        self._casts: dict[int, tuple[weakref.ref[torch.Tensor], torch.Tensor]] = {}

    def get(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        entry = self._casts.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            return entry[1]
        cast = _to(tensor, dtype)
        self._casts[id(tensor)] = (weakref.ref(tensor), cast)
        return cast

    def clear(self) -> None:
        self._casts.clear()


WEIGHTS = WeightCache()

_kept: list[Any] = []


def install_kernels(patches: Patches) -> None:
    """Give AutocastCPU the policy of AutocastCUDA until the patches are undone."""
    patches.on_undo(WEIGHTS.clear)
    if not _kept:
        patches.on_undo(_new_library()._destroy)


def keep_kernels() -> None:
    """Give AutocastCPU the policy of AutocastCUDA for good, in this process and its forks, so that installing them
    costs an emulation nothing (5 to 10 ms in a fork, whose pages are copied as the tables change).

    For a process that autocasts on the CPU in emulations only.
    """
    if not _kept:
        _kept.append(_new_library())


def _new_library() -> Any:
    new_library: Any = torch.library.Library
    library = new_library("aten", "IMPL", "AutocastCPU")
    with warnings.catch_warnings():  # overriding torch's kernels is what this is for
        warnings.simplefilter("ignore", UserWarning)
        for op, kernel in autocast_kernels().items():
            library.impl(op.partition("::")[2], kernel)
    return library


@functools.lru_cache(maxsize=1)
def autocast_kernels() -> dict[str, Kernel]:
    """The kernel of every operator whose native AutocastCPU one does not do as CUDA's does.

    Built once a process, and from torch's own registrations: ask before any kernel is installed.
    """
    native, wanted = op_policy("cpu"), op_policy("cuda")
    kernels = dict.fromkeys(native.keys() - wanted.keys(), torch.library.fallthrough_kernel)
    for op, category in wanted.items():
        if category is Category.UNKNOWN or category is not native.get(op):
            kernels[op] = _kernel(op, category)
    kernels.update({op: _lower(_overload(op)) for op in _CUDNN_RNN})
    kernels.update({op: _half_via_fp32(_overload(op)) for op in _HALF_VIA_FP32})
    return kernels


def _kernel(op: str, category: Category) -> Kernel:
    if category is Category.UNKNOWN:
        return _unknown(op)
    if op in _APPENDS_DTYPE:
        return _append_dtype(op)
    makers = {
        Category.LOWER: _lower,
        Category.FP32: _fp32,
        Category.PROMOTE: _promote,
        Category.SET_DTYPE: _set_dtype,
        Category.BANNED: _banned,
    }
    return makers[category](_overload(op))


def _lower(call: Kernel) -> Kernel:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        return _cast_and_call(call, _native_dtype("cpu"), args, kwargs)

    return kernel


def _promote(call: Kernel) -> Kernel:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        return _cast_and_call(call, _promoted(_native_dtype("cpu"), args, kwargs), args, kwargs)

    return kernel


def _fp32(call: Kernel) -> Kernel:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        return _cast_and_call(call, torch.float32, args, kwargs)

    return kernel


def _cast_and_call(call: Kernel, dtype: torch.dtype, args: Any, kwargs: Any) -> Any:
    with _NoAutocast(), _NoTorchFunction():
        cached = dtype is _native_dtype("cpu") and _cache_enabled()

        def cast(value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                if value.dtype is dtype or not _eligible(value):
                    return value
                return WEIGHTS.get(value, dtype) if cached and _is_weight(value) else _to(value, dtype)
            return [cast(item) for item in value] if isinstance(value, (list, tuple)) else value

        return call(*map(cast, args), **{name: cast(value) for name, value in kwargs.items()})


def _overload(op: str) -> Any:
    packet, _, overload = op.partition("::")[2].partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _eligible(tensor: torch.Tensor) -> bool:
    """Autocast touches floating-point tensors of its backend, float64 excepted."""
    return tensor.is_floating_point() and tensor.dtype is not torch.float64


def _is_weight(tensor: torch.Tensor) -> bool:
    """What torch takes for a weight worth caching: a float32 leaf that requires grad and is no view."""
    return tensor.dtype is torch.float32 and tensor.requires_grad and tensor.is_leaf and not tensor._is_view()


def _half_via_fp32(call: Kernel) -> Kernel:
    def kernel(first: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        with _NoAutocast(), _NoTorchFunction():
            if first.dtype not in (torch.float16, torch.bfloat16):
                return call(first, *args, **kwargs)
            return _to(call(_to(first, torch.float32), *args, **kwargs), first.dtype)

    return kernel


def _set_dtype(call: Any) -> Kernel:
    position = [argument.name for argument in call._schema.arguments].index("dtype")

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with _NoAutocast(), _NoTorchFunction():
            given = args[position] if len(args) > position else kwargs.get("dtype")
            if given is None and _eligible(args[0]):
                args, kwargs = args[:position], {**kwargs, "dtype": torch.float32}
            return call(*args, **kwargs)

    return kernel


def _append_dtype(op: str) -> Kernel:
    packet = op.partition("::")[2].partition(".")[0]
    call = getattr(getattr(torch.ops.aten, packet), _APPENDS_DTYPE[op])
    native = _overload(op)
    names = [argument.name for argument in native._schema.arguments]
    defaults = {argument.name: argument.default_value for argument in native._schema.arguments}

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with _NoAutocast(), _NoTorchFunction():
            given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
            dtype = torch.float32 if _eligible(args[0]) else args[0].dtype
            return call(*(given[name] for name in names), dtype=dtype)

    return kernel


def _banned(call: Any) -> Kernel:
    """torch's own refusal: the AutocastCUDA kernel of a banned operator does nothing but raise its message."""
    refusal = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCUDA)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        return call.redispatch(refusal, *args, **kwargs)

    return kernel


def _unknown(op: str) -> Kernel:
    def kernel(*_args: Any, **_kwargs: Any) -> Any:
        raise UnsupportedCudaApi(
            f"{op}: torch {torch.__version__} autocasts it on CUDA in a way this release of ampfix does not know; "
            "update ampfix or run on a GPU"
        )

    return kernel


def _promoted(lower: torch.dtype, args: Any, kwargs: Any) -> torch.dtype:
    """The widest dtype among the tensors, as at::autocast::prioritize decides it."""
    widest = lower
    for value in _tensors((*args, *kwargs.values())):
        if not _eligible(value):
            continue
        if value.dtype is torch.float32:
            widest = torch.float32
        elif widest is not torch.float32 and value.dtype is not lower:
            raise RuntimeError("Unexpected floating ScalarType in at::autocast::prioritize")
    return widest


def _tensors(values: Any) -> Any:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
