"""Running sums kept in half: tensors that get small updates step after step, and round most of them away."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from ampfix.watch import gradients
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.journal import Journal
from ampfix.watch.tensors import HALVES

_UPDATES = frozenset({"add_", "sub_", "lerp_", "mul_", "addcmul_", "_foreach_add_", "_foreach_mul_", "_foreach_lerp_"})


class HalfSums:
    """Sees ops of counted steps. A half tensor outside of autograd that is updated in place in two of them is a sum."""

    def __init__(self, journal: Journal, alarms: Alarms) -> None:
        self._journal, self._alarms = journal, alarms
        self._met: dict[int, tuple[StorageWeakRef, int]] = {}

    def wants(self, func: Any) -> bool:
        return func._schema.name.partition("::")[2] in _UPDATES

    def __call__(self, _func: Any, args: Any, _kwargs: Any, _out: Any) -> None:
        if not args:
            return
        for tensor in args[0] if isinstance(args[0], (list, tuple)) else args[:1]:
            if isinstance(tensor, torch.Tensor) and tensor.dtype in HALVES and not tensor.requires_grad:
                self._update(tensor)

    def _update(self, tensor: torch.Tensor) -> None:
        storage, attempt = tensor.untyped_storage(), self._journal.attempts
        first = self._met.get(storage._cdata)
        if first is None:
            weak = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            self._met[storage._cdata] = (weak, attempt)
        elif first[1] != attempt and not self._is_trained(storage._cdata):
            path, line = self._journal.locate()
            dtype = str(tensor.dtype).removeprefix("torch.")
            message = f"a running sum is kept in {dtype}: updates below half an ulp of it are lost"
            self._alarms.raise_(Alarm("AMP309", rule_name("AMP309"), message, path, line, attempt))

    def _is_trained(self, storage: int) -> bool:
        """Whether it holds a weight, a gradient or an optimizer's state, which other rules speak of."""
        for _, optimizer in self._journal.optimizers.live():
            for parameter in gradients.parameters_of(optimizer):
                held = [parameter] if parameter.grad is None else [parameter, parameter.grad]
                held += [item for item in _state(optimizer, parameter) if isinstance(item, torch.Tensor)]
                if any(tensor.untyped_storage()._cdata == storage for tensor in held):
                    return True
        return False


def _state(optimizer: Any, parameter: torch.Tensor) -> list[Any]:
    state = getattr(optimizer, "state", {}).get(parameter, {})
    return list(state.values()) if isinstance(state, dict) else []
