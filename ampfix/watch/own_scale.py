"""A loss that is multiplied by a constant without a GradScaler: a static scale, or a scaler of the loop's own."""

from __future__ import annotations

import sys
from typing import Any

from ampfix.protocol import Event, EventKind
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.journal import Journal
from ampfix.watch.modes import GuestMode
from ampfix.watch.usage import tests_finiteness

_TESTS = frozenset({"isfinite", "isnan", "isinf"})


class OwnScale(GuestMode):
    """Call with events. Between such a backward and the step, a loop that scales by itself asks whether its gradients
    are finite; one that does not is told of, at its step."""

    def __init__(self, journal: Journal, alarms: Alarms) -> None:
        super().__init__()
        self._journal, self._alarms = journal, alarms
        self._backward: Event | None = None
        self._settled = False  # told, or known to be right

    def saw(self, event: Event) -> None:
        if self._settled:
            return
        if event.kind is EventKind.BACKWARD and event.manual_scale and event.scaler is None:
            self._backward = event
            self.start()
        elif event.kind is EventKind.OPTIMIZER_STEP and self._backward is not None:
            message = "the loss is multiplied by a constant and no GradScaler is at work: overflows are stepped on and "
            message += "the scale never adapts"
            place = self._backward.path, self._backward.line
            self._alarms.raise_(Alarm("AMP205", rule_name("AMP205"), message, *place, self._backward.step))
            self._settle()

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if func._schema.name == "aten::_local_scalar_dense" and self._is_for_a_test():
            self._settle()
        return out

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
        self.stop()
