"""A light look at a forward: overflows that vanish again, which no check of the loss notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from ampfix.watch import blame
from ampfix.watch.position import Locator
from ampfix.watch.tensors import HALVES, tensors_in
from ampfix.watch.trace import BadOp, StepTracer, is_bad


class ForwardLook(StepTracer):
    """Of a step's ops looks only at results of forwards in half that overflow by their size alone, since a trace of all
    takes several times a step's time. `listeners` are called with each op and its arguments."""

    def __init__(self, locate: Locator, listeners: Sequence[Callable[[Any, Any], None]] = ()) -> None:
        super().__init__(locate)
        self._listeners = listeners

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        for listener in self._listeners:
            listener(func, args)
        name = func._schema.name.partition("::")[2]
        if self.trace.origins and name == "_softmax" and is_bad(args[0]):
            self.trace.origins[-1] = replace(self.trace.origins[-1], reached=frozenset({"softmax"}))
        if not isinstance(out, torch.Tensor) or out.dtype not in HALVES or func._schema.is_mutable:
            return out
        if name in blame.SUMMING and torch._C._current_autograd_node() is None and is_bad(out):
            inputs = list(tensors_in((args, kwargs)))
            if not any(map(is_bad, inputs)):
                self.trace.origins.append(self._described(name, args, inputs, out))
        return out

    def _described(self, name: str, args: Any, inputs: list[torch.Tensor], out: torch.Tensor) -> BadOp:
        return self.origin(name, args, inputs, None, out, None, self._place(None))
