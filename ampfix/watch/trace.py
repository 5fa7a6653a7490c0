"""The first bad op of a step: the one whose inputs were finite and whose result is not, and reached the loss or a
gradient.

A dispatch mode sees each op as it really runs, behind autocast's casts. What is not finite is followed by the memory it
lies in, so that an infinity which a mask takes away again is not taken for the cause.
"""

from __future__ import annotations

import linecache
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from ampfix.watch.modes import GuestMode
from ampfix.watch.position import Locator
from ampfix.watch.tensors import HALVES, tensors_in

_ON_PURPOSE = frozenset({"full", "full_like", "fill", "fill_", "masked_fill", "masked_fill_", "scalar_tensor", "empty"})
"""Ops that write infinities they are given."""
_UNSET = frozenset({"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"})
_MOST_ORIGINS = 64
_MOST_CALLS = 100_000  # remembered places of forward ops, for backward to look up


@dataclass(frozen=True)
class Operand:
    """A tensor's dtype, shape and extremes of its finite values."""

    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float
    smallest: float


@dataclass(frozen=True)
class BadOp:
    """The op, whether it ran in backward, its inputs and numbers, the module around it and the user's line.

    reached: the ops that its result, or what came of it, went into.
    """

    op: str
    backward: bool
    result: str
    inputs: tuple[Operand, ...]
    numbers: tuple[float, ...]
    module: str
    path: str
    line: int
    source: str = ""
    same_operand: bool = False
    in_function: bool = False
    reached: frozenset[str] = frozenset()


@dataclass
class Trace:
    """What a traced step showed: the origins of what was not finite, in order, and that which did harm.

    poisoned: modules whose running statistics are not finite.
    """

    origins: list[BadOp] = field(default_factory=list)
    culprit: BadOp | None = None
    inputs_were_bad: bool = False
    poisoned: list[str] = field(default_factory=list)
    ops: int = 0


class StepTracer(GuestMode):
    """Trace the ops of one step. `locate` gives the user's position."""

    def __init__(self, locate: Locator) -> None:
        super().__init__()
        self.trace = Trace()
        self._locate = locate
        self._tainted: dict[int, tuple[StorageWeakRef, int]] = {}
        self._reached: defaultdict[int, set[str]] = defaultdict(set)
        self._modules: list[str] = []
        self._names: dict[int, str] = {}
        self._calls: dict[int, tuple[str, str, int]] = {}
        self._hooks: list[Any] = []

    def start(self) -> None:
        self._hooks = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        super().start()

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        super().stop()

    def blame(self, tensors: Iterator[torch.Tensor]) -> None:
        """Of the origins, the one that reached the first of these tensors that is not finite."""
        if self.trace.culprit is not None:
            return
        for tensor in tensors:
            if is_bad(tensor):
                origin = self._origin((tensor,))
                if origin is not None and origin < 0:
                    self.trace.inputs_were_bad = True
                    return
                if origin is not None:
                    self.trace.culprit = replace(self.trace.origins[origin], reached=frozenset(self._reached[origin]))
                    return

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        name = func._schema.name.partition("::")[2]
        inputs = list(tensors_in((args, kwargs)))
        # What is overwritten has to be looked at before.
        before = (_bad_of(inputs), _described(inputs)) if func._schema.is_mutable else None
        out = func(*args, **kwargs)
        self.trace.ops += 1
        node = torch._C._current_autograd_node()
        place = self._place(node)
        broken = [] if name in _UNSET else [tensor for tensor in tensors_in(out) if is_bad(tensor)]
        if broken:
            bad, described = before or (_bad_of(inputs), None)
            self._follow(name, args, inputs, bad, described, broken, node, place)
        return out

    def _follow(
        self,
        name: str,
        args: Any,
        inputs: list[torch.Tensor],
        bad: list[torch.Tensor],
        described: list[Operand] | None,
        broken: list[torch.Tensor],
        node: Any,
        place: tuple[str, str, int],
    ) -> None:
        origin = self._origin(bad) if bad else None
        if origin is not None:
            self._reached[origin].add(name.strip("_"))
        if bad and origin is None:
            origin = -1  # what came in was bad already: the batch, or the weights
        if origin is None and name not in _ON_PURPOSE and len(self.trace.origins) < _MOST_ORIGINS:
            self.trace.origins.append(self.origin(name, args, inputs, described, broken[0], node, place))
            origin = len(self.trace.origins) - 1
        if origin is not None:
            for tensor in broken:
                self._taint(tensor, origin)

    def origin(
        self,
        name: str,
        args: Any,
        inputs: list[torch.Tensor],
        described: list[Operand] | None,
        result: torch.Tensor,
        node: Any,
        place: tuple[str, str, int],
    ) -> BadOp:
        """The op whose result is not finite. described: what the inputs held, where that has been overwritten."""
        module, path, line = place
        return BadOp(
            name, node is not None, _dtype(result), tuple(described or _described(inputs)),
            tuple(float(item) for item in args if isinstance(item, (int, float))), module, path, line,
            self._source(line) if node is None else "",
            same_operand=len(inputs) > 1 and inputs[0] is inputs[1],
            in_function=isinstance(node, BackwardCFunction),
        )  # fmt: skip

    def _place(self, node: Any) -> tuple[str, str, int]:
        """Of a forward op the module and line now; of a backward op those of the forward op it belongs to."""
        if node is not None:
            known = self._calls.get(node._sequence_nr())
            return known or ("", *self._locate())
        place = (self._modules[-1] if self._modules else "", *self._locate())
        if len(self._calls) < _MOST_CALLS:
            # The op's node took its number before its kernel ran.
            self._calls.setdefault(torch.autograd._get_sequence_nr() - 1, place)  # type: ignore[attr-defined]
        return place

    def _source(self, line: int) -> str:
        code = self._locate.code()
        return "" if code is None else linecache.getline(code.co_filename, line).strip()

    def _origin(self, tensors: Any) -> int | None:
        for tensor in tensors:
            known = self._tainted.get(tensor.untyped_storage()._cdata) if _has_storage(tensor) else None
            if known is not None:
                return known[1]
        return None

    def _taint(self, tensor: torch.Tensor, origin: int) -> None:
        if _has_storage(tensor):
            storage = tensor.untyped_storage()
            weak = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            self._tainted[storage._cdata] = (weak, origin)

    def _enter_module(self, module: torch.nn.Module, _args: Any) -> None:
        if not self._modules:
            self._names = {id(inner): name for name, inner in module.named_modules()}
        self._modules.append(self._names.get(id(module), "") or type(module).__name__)

    def _leave_module(self, module: torch.nn.Module, _args: Any, _out: Any) -> None:
        name = self._modules.pop() if self._modules else ""
        running = getattr(module, "running_var", None)
        with torch._C._DisableTorchDispatch():  # what is asked here is no op of the loop
            if isinstance(running, torch.Tensor) and is_bad(running) and name not in self.trace.poisoned:
                self.trace.poisoned.append(name)


def _bad_of(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor for tensor in inputs if is_bad(tensor)]


def _described(inputs: list[torch.Tensor]) -> list[Operand]:
    """What the first few hold."""
    with torch._C._DisableTorchDispatch():
        return [_describe(tensor) for tensor in inputs[:4]]


@torch.no_grad()
def is_bad(tensor: torch.Tensor) -> bool:
    """Whether a value is not finite."""
    if not tensor.dtype.is_floating_point or tensor.is_sparse or tensor.is_meta or not tensor.numel():
        return False
    with torch._C._DisableTorchDispatch():  # a mode below need not see what is no op of the loop
        total = tensor.sum(dtype=torch.float32 if tensor.dtype in HALVES else None)  # one pass, where all is well
        return not bool(torch.isfinite(total)) and not bool(torch.isfinite(tensor).all())


@torch.no_grad()
def _describe(tensor: torch.Tensor) -> Operand:
    """Extremes, and the smallest magnitude: what a logarithm or a division minds."""
    if tensor.is_sparse or tensor.is_meta or not tensor.numel() or not tensor.dtype.is_floating_point:
        return Operand(_dtype(tensor), tuple(tensor.shape), 0.0, 0.0, 0.0)
    values = tensor.detach().float()
    low, high = torch.aminmax(values)
    return Operand(_dtype(tensor), tuple(tensor.shape), float(low), float(high), float(values.abs().min()))


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _has_storage(tensor: torch.Tensor) -> bool:
    try:
        return tensor.untyped_storage()._cdata is not None
    except (NotImplementedError, RuntimeError):
        return False
