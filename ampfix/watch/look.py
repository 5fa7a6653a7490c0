"""A light look at a forward: overflows that vanish again, which no check of the loss notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from ampfix.watch import blame
from ampfix.watch.modes import OpListener, OpWatch, OpWatcher
from ampfix.watch.position import Locator
from ampfix.watch.tensors import HALVES, tensors_in
from ampfix.watch.trace import BadOp, StepTracer, is_bad


class ForwardLook(OpWatch, StepTracer):
    """Of a step's ops looks only at results of forwards in half that overflow by their size alone, since a trace of all
    takes several times a step's time. `listeners` see ops of the step as well."""

    def __init__(self, locate: Locator, listeners: Sequence[OpListener] = ()) -> None:
        super().__init__(locate)
        self._listeners = listeners

    def watchers(self, func: Any) -> Iterable[OpWatcher]:
        yield from (listener for listener in self._listeners if listener.wants(func))
        name = func._schema.name.partition("::")[2]
        if name == "_softmax":
            yield self._saw_softmax
        elif name in blame.SUMMING and not func._schema.is_mutable:
            yield self._saw_sum

    def _saw_softmax(self, _func: Any, args: Any, _kwargs: Any, _out: Any) -> None:
        if self.trace.origins and is_bad(args[0]):
            self.trace.origins[-1] = replace(self.trace.origins[-1], reached=frozenset({"softmax"}))

    def _saw_sum(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        if not isinstance(out, torch.Tensor) or out.dtype not in HALVES:
            return
        if torch._C._current_autograd_node() is None and is_bad(out):
            inputs = list(tensors_in((args, kwargs)))
            if not any(map(is_bad, inputs)):
                name = func._schema.name.partition("::")[2]
                self.trace.origins.append(self._described(name, args, inputs, out))

    def _described(self, name: str, args: Any, inputs: list[torch.Tensor], out: torch.Tensor) -> BadOp:
        return self.origin(name, args, inputs, None, out, None, self._place(None))
