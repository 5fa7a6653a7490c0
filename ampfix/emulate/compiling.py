"""torch.compile, torch.jit and the choice of attention kernels under emulation.

A compiled function runs what it wraps, eagerly: the operators and dtypes are those of the "eager" backend. Dynamo
itself would trace the emulation (tensors are CPU tensors to it), and keep tables of functions that must not outlive it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo
import torch.jit._builtins
import torch.nn.attention
from torch._dynamo import OptimizedModule

from ampfix.emulate.errors import UnsupportedCudaApi
from ampfix.emulate.patches import Patches

_disable: Any = torch._dynamo.disable


def emulate_compilers(patches: Patches) -> None:
    """Make torch.compile run eagerly, and scripting see through the emulation's wrappers."""
    for owner, name in ((torch, "compile"), (torch._dynamo, "optimize")):
        patches.set(owner, name, _compile if name == "compile" else _optimize)
    patches.set(torch._dynamo, "export", _refuse_export)
    for owner, name in ((torch.nn.attention, "sdpa_kernel"), (torch.backends.cuda, "sdp_kernel")):
        if hasattr(owner, name):
            patches.set(owner, name, _any_kernel)
    native_find: Any = torch.jit._builtins._find_builtin
    patches.set(torch.jit._builtins, "_find_builtin", lambda fn: native_find(getattr(fn, "__wrapped__", fn)))


def _compile(model: Any = None, **_options: Any) -> Any:
    if model is None:
        return _eager
    return _eager(model)


def _optimize(*_args: Any, **_options: Any) -> Callable[[Any], Any]:
    return _eager


def _eager(model: Any) -> Any:
    """What torch.compile returns, without a compiler inside: modules keep the wrapper that renames their state."""
    if not isinstance(model, torch.nn.Module):
        return _disable(model)
    if isinstance(model, OptimizedModule):
        return model
    return OptimizedModule(model, _disable())


@contextmanager
def _any_kernel(*_args: Any, **_kwargs: Any) -> Iterator[None]:
    """The choice among CUDA's attention kernels: a CPU has its own, which the switches would turn off."""
    yield


def _refuse_export(*_args: Any, **_kwargs: Any) -> Any:
    raise UnsupportedCudaApi(
        "torch._dynamo.export(): graphs traced under emulation would name the CPU; export on a GPU"
    )
