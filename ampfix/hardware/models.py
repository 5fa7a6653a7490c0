"""Gets a user's model by `module:function`, without memory for its weights: on torch's meta device."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch


class ModelError(ValueError):
    """A model that cannot be got; the message is one line."""


def build(target: str) -> tuple[torch.nn.Module, tuple[Any, ...]]:
    """The model that `module:function` returns, and inputs for it where the function returns (model, inputs).

    The module is looked for in the current folder, too. Raises ModelError.
    """
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
    with torch.device("meta"):
        made = make()
    model, inputs = made if isinstance(made, tuple) and len(made) == 2 else (made, ())
    if not isinstance(model, torch.nn.Module):
        raise ModelError(f"{target}: returned {type(model).__name__}, not a torch.nn.Module or (module, inputs)")
    inputs = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    return model.to("meta"), tuple(item.to("meta") if isinstance(item, torch.Tensor) else item for item in inputs)
