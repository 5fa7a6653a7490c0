"""Which emulated device a tensor is on.

All tensors of an emulated run live in host memory, so a tensor cannot carry its device. What is known is remembered
beside it: where a factory or a move put it. Results of operators are not tracked; they count as CUDA tensors, because
nearly all of them are.
"""

from __future__ import annotations

import weakref
from typing import Any, Literal

import torch

from ampfix.emulate.errors import UnsupportedCudaApi

Place = Literal["cuda", "cpu"]

CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")
DEVICE: dict[Place, torch.device] = {"cuda": CUDA, "cpu": CPU}

_known: dict[int, tuple[weakref.ref[torch.Tensor], Place]] = {}


def mark(tensor: Any, place: Place) -> Any:
    """Remember that `tensor` is on `place`; returns it."""
    key = id(tensor)
    _known[key] = (weakref.ref(tensor, lambda _: _known.pop(key, None)), place)
    return tensor


def known_place(tensor: torch.Tensor) -> Place | None:
    """Where a factory or a move put `tensor`, None for anything else."""
    entry = _known.get(id(tensor))
    return entry[1] if entry is not None else None


def forget_all() -> None:
    """Drop every remembered placement."""
    _known.clear()


def place_of(device: Any) -> Place | None:
    """The emulated place a device argument names; None for None and for devices of other kinds (meta, ...)."""
    if device is None:
        return None
    if isinstance(device, bool):
        raise TypeError(f"a device is a string, an index or a torch.device, not {device!r}")
    if isinstance(device, int):
        return _checked(device)
    if isinstance(device, str):
        if not device.startswith(("cuda", "cpu")):
            return None
        device = torch.device(device)
    kind = getattr(device, "type", None)
    if kind == "cuda":
        return _checked(device.index or 0)
    return "cpu" if kind == "cpu" else None


def _checked(index: int) -> Place:
    if index != 0:
        raise UnsupportedCudaApi(
            f"cuda:{index}: the emulated machine has one GPU, cuda:0; use it or run where there are more"
        )
    return "cuda"


_plain_dispatch = torch.Tensor.__torch_dispatch__


def is_plain(tensor: Any) -> bool:
    """Whether `tensor` is an ordinary one in host memory; those with a dispatch of their own know their device better.

    Reading the native device would not do: under a torch function mode that getter leads back to the emulated one.
    """
    return type(tensor).__torch_dispatch__ is _plain_dispatch and not tensor.is_meta


def tensor_place(tensor: torch.Tensor) -> Place | None:
    """The emulated place of a tensor, None where it lives elsewhere (meta, fake)."""
    return known_place(tensor) or ("cuda" if is_plain(tensor) else None)
