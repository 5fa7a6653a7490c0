"""Observes the ranks of a DistributedDataParallel run: one that leaves out a backward on its own judgement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.journal import Journal
from ampfix.watch.patches import Patches
from ampfix.watch.tensors import tensors_in

_AGREEING = (
    "all_reduce", "reduce", "broadcast", "all_gather", "all_gather_into_tensor", "all_gather_object", "gather_object",
    "broadcast_object_list",
)  # fmt: skip
"""Exchanges by which ranks can come to one verdict."""


class RankObserver:
    """Tells of a forward that was not finite and got no backward, where the ranks exchanged nothing in between."""

    def __init__(self, journal: Journal, alarms: Alarms) -> None:
        self._journal, self._alarms = journal, alarms
        self._output: torch.Tensor | None = None  # of a forward whose backward the other ranks wait for
        self._place: tuple[str, int] = ("", 0)

    def install(self, patches: Patches) -> None:
        if not torch.distributed.is_available():
            return
        from torch.distributed import distributed_c10d
        from torch.nn.parallel import DistributedDataParallel

        patches.method(DistributedDataParallel, "forward", self._forward)
        for name in _AGREEING:
            patches.decorated(distributed_c10d, name, self._exchange)

    def settled(self) -> None:
        """A backward ran, or the ranks agreed."""
        self._output = None

    def _forward(self, original: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
        if self._output is not None and not bool(torch.isfinite(self._output).all()):
            message = "this rank left out a backward after a forward that was not finite: the others wait for its "
            message += "gradients, or pair them with those of another step"
            step = self._journal.attempts
            self._alarms.raise_(Alarm("AMP209", rule_name("AMP209"), message, *self._place, step))
        self.settled()
        out = original(model, *args, **kwargs)
        if torch.is_grad_enabled() and model.training and model.require_backward_grad_sync and _has_company():
            self._output, self._place = (
                next((item.detach() for item in tensors_in(out) if item.is_floating_point()), None),
                self._journal.locate(),
            )
        return out

    def _exchange(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.settled()
        return original(*args, **kwargs)


def _has_company() -> bool:
    return torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
