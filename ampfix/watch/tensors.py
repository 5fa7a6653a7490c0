"""The tensors in a value, and the dtypes of half precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

HALVES = (torch.float16, torch.bfloat16)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of what an op, a module or a scaler takes or gives, however they lie in sequences and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def storage_of(tensor: Any) -> Any:
    """The memory a tensor lies in; None where it has none of its own kind, as sparse ones."""
    try:
        return tensor.untyped_storage()
    except (AttributeError, NotImplementedError, RuntimeError):
        return None
