"""Reading gradients without changing them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

_VERSION = attrgetter("_version")


def parameters_of(optimizer: Any) -> list[torch.Tensor]:
    groups = getattr(optimizer, "param_groups", ())
    return [parameter for group in groups for parameter in group["params"] if isinstance(parameter, torch.Tensor)]


def gradients_of(parameters: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


Mark = tuple[int, int]
"""Of a gradient: it changes whenever the gradient is replaced or written to. An accumulation in place raises the
tensor's version; one under create_graph puts a new tensor there."""


def marks(optimizer: Any) -> list[Mark | None]:
    """How the optimizer's gradients stand; None for those that are None."""
    found = [parameter.grad for parameter in parameters_of(optimizer)]
    return [None if gradient is None else (id(gradient), gradient._version) for gradient in found]


def arrived(optimizer: Any, before: Iterable[Mark | None]) -> bool:
    """Whether a gradient was created, replaced or written to since `before`; usually the first one tells."""
    known = iter(before)
    for parameter in parameters_of(optimizer):
        gradient, mark = parameter.grad, next(known, None)
        if mark != (None if gradient is None else (id(gradient), gradient._version)):
            return True
    return False


def versions(optimizer: Any) -> int:
    """Changes whenever a weight of the optimizer is written to."""
    return sum(map(_VERSION, parameters_of(optimizer)))


@torch.no_grad()
def norm(gradients: list[torch.Tensor], norm_type: float = 2.0) -> float:
    """The norm of all gradients taken as one vector, in float32 (0.0 where there are none)."""
    if not gradients:
        return 0.0
    values = [_values(gradient) for gradient in gradients]
    if any(value.dtype in (torch.float16, torch.bfloat16) for value in values):
        values = [value.float() for value in values]  # a half norm overflows where its elements do not
    with _disable_current_modes():  # no op of the loop's
        norms = list(torch._foreach_norm(values, norm_type))
        if len({(item.device, item.dtype) for item in norms}) > 1:
            norms = [item.to(norms[0].device, torch.float32) for item in norms]
        return float(torch.linalg.vector_norm(torch.stack(norms), norm_type))


def _values(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.coalesce()._values() if gradient.is_sparse else gradient


def none(optimizer: Any) -> bool:
    """Whether every gradient of the optimizer is None."""
    return all(parameter.grad is None for parameter in parameters_of(optimizer))


@torch.no_grad()
def zero(optimizer: Any) -> bool:
    """Whether every gradient of the optimizer is None or zero; usually the first one tells."""
    return not any(bool(_values(gradient).any()) for gradient in gradients_of(parameters_of(optimizer)))
