"""Gets a user's model by `module:function`; `build` without memory for its weights, on torch's meta device."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FILLING = frozenset(
    getattr(owner, name)
    for owner in (torch.nn.init, torch.Tensor)
    for name in (
        "uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_",
        "xavier_normal_", "orthogonal_", "constant_", "ones_", "zeros_", "fill_", "zero_",
    )
    if hasattr(owner, name)
)  # fmt: skip


class ModelError(ValueError):
    """A model that cannot be got; the message is one line."""


def returned(target: str) -> Any:
    """What `module:function` returns. The module is looked for in the current folder, too. Raises ModelError."""
    name, _, function = target.partition(":")
    if not name or not function:
        raise ModelError(f"{target}: name a function as module:function")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        make = getattr(importlib.import_module(name), function)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"{target}: cannot be imported: {error}") from error
    except Exception as error:
        raise ModelError(f"{target}: its module raises {_in_a_line(error)}") from error
    with errors_of(target):
        return make()


@contextlib.contextmanager
def errors_of(target: str) -> Iterator[None]:
    """What the user's own code raises inside is a ModelError that names the target."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{target}: raises {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


class _NoInitialValues(TorchFunctionMode):
    """Leaves out what fills new weights: there is nothing to fill on the meta device, and shapes are worked out in
    Python there, which takes longer than all the rest of a large model."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLING:
            tensor = args[0] if args else (kwargs or {}).get("tensor")
            if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                return tensor
        return func(*args, **(kwargs or {}))


def build(target: str) -> tuple[torch.nn.Module, tuple[Any, ...]]:
    """The model that `module:function` returns, and inputs for it where the function returns (model, inputs).

    A loss behind them is passed over, so that one function serves `profile` as well. Raises ModelError.
    """
    with torch.device("meta"), _NoInitialValues():
        made = returned(target)
    model, inputs = made[:2] if isinstance(made, tuple) and len(made) in (2, 3) else (made, ())
    if not isinstance(model, torch.nn.Module):
        raise ModelError(f"{target}: returned {type(model).__name__}, not a torch.nn.Module or (module, inputs)")
    inputs = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    return model.to("meta"), tuple(item.to("meta") if isinstance(item, torch.Tensor) else item for item in inputs)
