"""What the matrix products of counted rounds, and of evaluations, say about where autocast reaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from ampfix.rules.misaligned_dims import LARGE, STEP
from ampfix.watch import gradients
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.journal import Journal
from ampfix.watch.modes import OpWatch, OpWatcher, guests_only
from ampfix.watch.patches import Patches
from ampfix.watch.tensors import HALVES

_WEIGHT = {torch.ops.aten.mm: 1, torch.ops.aten.addmm: 2, torch.ops.aten.convolution: 1}
"""Which argument is the weight, or a view of it."""
_LOOKS = 2  # evaluations that are looked at
_BEHIND_A_STEP = ("AMP304", "AMP501")  # told when the step that they belong to has been counted
_MAIN_WORK = 0.3  # the share of a round's products from which on one is worth padding


class ProductUse:
    """Call with the ops of counted rounds, behind autocast's casts, and their arguments."""

    def __init__(self, journal: Journal, alarms: Alarms) -> None:
        self._journal, self._alarms = journal, alarms
        self.by_dtype: Counter[str] = Counter()  # products of forwards
        self._in_half: set[tuple[int, ...]] = set()  # shapes of the weights that forwards multiplied by in half
        self._work = self._misaligned = 0
        self.largest = 0  # multiply-adds of a matrix product of a forward in half
        self._place: tuple[str, int] = ("", 0)
        self.evaluating = False
        self.seen = False  # a product, in this step

    def wants(self, func: Any) -> bool:
        return func._overloadpacket in _WEIGHT

    def __call__(self, func: Any, args: Any, _kwargs: Any, _out: Any) -> None:
        self.seen = True
        position = _WEIGHT[func._overloadpacket]
        weight, node = args[position], torch._C._current_autograd_node()
        shape = tuple(weight.shape)
        if node is None and not self.evaluating:
            self.by_dtype[str(weight.dtype).removeprefix("torch.")] += 1
        if node is None and weight.dtype in HALVES:
            self._in_half.add(shape)
            if func is not torch.ops.aten.convolution.default:
                self._look_at_size(args[position - 1].shape[0], shape)
        elif weight.dtype is torch.float32 and shape in self._in_half and not self._journal.state.autocast:
            if isinstance(node, BackwardCFunction) and torch.is_grad_enabled():
                self._tell("AMP408", "a custom Function computes its forward again in backward, where autocast is not "
                           "active: in float32, and not what the forward computed")  # fmt: skip
            elif self.evaluating and node is None and not torch.is_grad_enabled() and self._is_trained(weight):
                self._tell("AMP304", "the model is evaluated in float32, outside autocast, and trained in half: what "
                           "is measured is not what is trained, and slower")  # fmt: skip

    def _look_at_size(self, rows: int, shape: tuple[int, ...]) -> None:
        work = rows * shape[0] * shape[1]
        self._work += work
        self.largest = max(self.largest, work)
        if any(size >= LARGE and size % STEP for size in shape):
            self._misaligned += work
            self._place = self._journal.locate()

    def _end_round(self) -> None:
        if self._misaligned > _MAIN_WORK * self._work:
            share = self._misaligned / self._work
            self._tell("AMP501", f"{share:.0%} of the work in half is products with a size that {STEP} does not "
                       "divide: tensor cores run below their speed", self._place)  # fmt: skip
        self._work = self._misaligned = 0

    def stepped(self) -> None:
        """An attempt has ended."""
        if self.seen:
            self.seen = False
            self._end_round()

    def _is_trained(self, tensor: torch.Tensor) -> bool:
        held = tensor.untyped_storage()._cdata
        return any(
            parameter.untyped_storage()._cdata == held
            for _, optimizer in self._journal.optimizers.live()
            for parameter in gradients.parameters_of(optimizer)
        )

    def _tell(self, code: str, message: str, place: tuple[str, int] | None = None) -> None:
        place = place or self._journal.locate()
        step = self._journal.attempts - (code in _BEHIND_A_STEP)
        self._alarms.raise_(Alarm(code, rule_name(code), message, *place, step))


class EvaluationLook(OpWatch):
    """Shows `use` the products between `model.eval()` and `model.train()`, in the first evaluations of a run."""

    def __init__(self, journal: Journal, use: ProductUse) -> None:
        super().__init__()
        self._journal, self._use = journal, use
        self._looks = 0

    def install(self, patches: Patches) -> None:
        patches.method(torch.nn.Module, "train", self._train)
        patches.on_undo(self.end)

    def _train(self, original: Callable[..., Any], module: Any, *args: Any, **kwargs: Any) -> Any:
        mode = kwargs.get("mode", args[0] if args else True)
        if mode:
            self.end()
        elif not self.running and self._journal.attempts and self._looks < _LOOKS and guests_only():
            self._looks += 1
            self._use.evaluating = True
            self.start()
        return original(module, *args, **kwargs)

    def end(self) -> None:
        """Training goes on."""
        if self.running:
            self._use.evaluating = False
            self.stop()

    def watchers(self, func: Any) -> Iterable[OpWatcher]:
        return (self._use,) if self._use.wants(func) else ()
