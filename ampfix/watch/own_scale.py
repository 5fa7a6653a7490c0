"""A loss that is multiplied by a constant without a GradScaler: a static scale, or a scaler of the loop's own."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from ampfix.protocol import Event, EventKind
from ampfix.watch import gradients
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.journal import Journal
from ampfix.watch.modes import GuestMode
from ampfix.watch.tensors import storage_of, tensors_in
from ampfix.watch.usage import tests_finiteness

_TESTS = frozenset({"isfinite", "isnan", "isinf"})


class OwnScale(GuestMode):
    """Call `handlers` with events of their kind.

    Between such a backward and the step, a loop that scales by itself asks whether its gradients are finite: it reads a
    value that came of them where it tests what is finite. One that does not is told of, at its step.
    """

    def __init__(self, journal: Journal, alarms: Alarms) -> None:
        super().__init__()
        self._journal, self._alarms = journal, alarms
        self._backward: Event | None = None
        self._of_gradients: dict[int, StorageWeakRef] = {}  # the memory of what came of gradients
        self._settled = False  # told, or known to be right
        self.handlers = {EventKind.BACKWARD: self._on_backward, EventKind.OPTIMIZER_STEP: self._on_step}

    def _on_backward(self, event: Event) -> None:
        if not self._settled and event.manual_scale and event.scaler is None:
            self._backward = event
            for _, optimizer in self._journal.optimizers.live():
                self._note(gradients.gradients_of(gradients.parameters_of(optimizer)))
            self.start()

    def _on_step(self, _event: Event) -> None:
        if self._backward is not None:
            message = "the loss is multiplied by a constant and no GradScaler is at work: overflows are stepped on and "
            message += "the scale never adapts"
            place = self._backward.path, self._backward.line
            self._alarms.raise_(Alarm("AMP205", rule_name("AMP205"), message, *place, self._backward.step))
            self._settle()

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if any(map(self._came_of_gradients, tensors_in((args, kwargs)))):
            if func._schema.name != "aten::_local_scalar_dense":
                self._note(tensors_in((out, _written(func, args))))
            elif self._is_for_a_test():
                self._settle()
        return out

    def _came_of_gradients(self, tensor: torch.Tensor) -> bool:
        storage = storage_of(tensor)
        return storage is not None and storage._cdata in self._of_gradients

    def _note(self, tensors: Iterable[torch.Tensor]) -> None:
        for storage in map(storage_of, tensors):
            if storage is not None and storage._cdata not in self._of_gradients:
                self._of_gradients[storage._cdata] = StorageWeakRef(storage)  # type: ignore[no-untyped-call]

    def _is_for_a_test(self) -> bool:
        """Whether some function of the loop's that runs now asks what is finite."""
        locate, frame = self._journal.locate, sys._getframe(1)
        while frame.f_back is not None:
            frame = frame.f_back
            if locate.is_users(frame.f_code) and (
                _TESTS & set(frame.f_code.co_names) or tests_finiteness(frame.f_code, frame.f_lineno)
            ):
                return True
        return False

    def _settle(self) -> None:
        self._settled, self._backward = True, None
        self._of_gradients.clear()
        self.stop()


def _written(func: Any, args: Any) -> list[Any]:
    """The arguments that an op writes to."""
    infos = [argument.alias_info for argument in func._schema.arguments]
    return [item for item, info in zip(args, infos, strict=False) if info is not None and info.is_write]
