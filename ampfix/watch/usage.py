"""Observes what a loop does with gradients that carry the loss scale: values read off, edits by hand.

A dispatch mode follows tensors from the gradients on, each with the power of the scale it carries (`degrees`). It is
on only between backward and whatever unscales or steps, where most loops call nothing at all, and not in every step.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from random import SystemRandom
from types import CodeType
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler
from torch.multiprocessing.reductions import StorageWeakRef

from ampfix.protocol import EventKind
from ampfix.watch import degrees, gradients
from ampfix.watch.degrees import Operand, Place, Tag
from ampfix.watch.journal import Journal
from ampfix.watch.modes import GuestMode, guests_only
from ampfix.watch.patches import Patches, subclasses
from ampfix.watch.tensors import storage_of, tensors_in

_DENSE, _BLOCK = 24, 16
"""Every attempt is followed at first, then one in a block, drawn at random."""
_RANDOM = SystemRandom()
_FINITE_TEST = re.compile(r"isfinite|isnan|isinf|\binf\b|\bnan\b")
_VIEWS_OF_GRADIENT = {"zero", "fill"}


class _Follower(GuestMode):
    def __init__(self, follow: Callable[[Any, Any, Any, Any], None]) -> None:
        super().__init__()
        self._follow = follow
        self.quiet = False

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if not self.quiet:
            self.quiet = True  # what following itself calls is not followed
            try:
                self._follow(func, args, kwargs, out)
            finally:
                self.quiet = False
        return out


class GradientUse:
    """Writes READ_GRAD, EDIT_GRAD, and CLIP for clipping by hand."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._mode = _Follower(self._follow)
        self._tags: dict[int, tuple[StorageWeakRef, Tag]] = {}
        self._owners: dict[int, str] = {}
        self._parameters: set[int] = set()
        self._reads: dict[Place, tuple[CodeType | None, tuple[str, ...]]] = {}
        self._knows_scale: set[CodeType] = set()
        self._told: set[tuple[EventKind, Place]] = set()
        self._scale: float | None = None
        self._drawn = 0
        self._penalty = False
        self._untagged = False  # gradients have arrived, and no op came behind them yet

    def install(self, patches: Patches) -> None:
        for owner in subclasses(GradScaler):
            patches.method(owner, "get_scale", self._get_scale)
        patches.on_undo(self.close)
        self._journal.before_use = self.settle

    def open(self, optimizers: Sequence[str]) -> None:
        """Gradients arrived: follow them, if they carry a scale and this attempt is one to look at."""
        journal = self._journal
        if not self._wanted() or not any(journal.carries_scale(name) for name in optimizers):
            return
        if not guests_only():
            return  # a mode of the loop's own would be left before this one
        if self._tags:
            self._tag_gradients()
        else:
            self._untagged = True
        self._mode.start()

    def open_penalty(self, results: Sequence[Any]) -> None:
        """autograd.grad gave gradients of a scaled value, to be differentiated again: a penalty on them is measured in
        units of the scale until something divides it out."""
        if not self._wanted() or not guests_only():
            return
        self._penalty = True
        for tensor in tensors_in(results):
            held = storage_of(tensor)
            if held is not None:
                self._set(held, Tag(1.0, gradient=True))
        self._mode.start()

    def begin_forward(self) -> None:
        """What a forward calls has nothing to do with gradients, unless a penalty is computed in it."""
        if not self._penalty:
            self.close()

    def close(self) -> None:
        """Stop following until gradients arrive again. What was learnt stays until the step."""
        self._penalty = False
        if self._mode.running:
            self._mode.stop()

    def pause(self) -> bool:
        """Before torch's own functions run, whose events are written elsewhere. Returns what to `resume` with."""
        before, self._mode.quiet = self._mode.quiet, True
        return before

    def resume(self, before: bool) -> None:
        """They have returned."""
        self._mode.quiet = before

    def settle(self) -> None:
        """The gradients are about to be unscaled, stepped on or cleared: write what is left to write, and forget."""
        if self._mode.running:
            self.close()
        if self._tags:
            self._find_replaced()
            for place, (code, optimizers) in self._reads.items():
                if code not in self._knows_scale:
                    self._write(EventKind.READ_GRAD, place, optimizers)
        if self._tags or self._untagged or self._knows_scale:
            self._forget()

    def _forget(self) -> None:
        for known in (self._tags, self._owners, self._parameters, self._reads, self._knows_scale, self._told):
            known.clear()
        self._scale, self._untagged = None, False

    def _wanted(self) -> bool:
        attempt = self._journal.attempts
        if attempt < _DENSE:
            return True
        if attempt % _BLOCK == 0 and self._drawn < attempt:
            self._drawn = attempt + _RANDOM.randrange(_BLOCK)
        return attempt == self._drawn

    def _tag_gradients(self) -> None:
        journal = self._journal
        for name, optimizer in journal.optimizers.live():
            carries = journal.carries_scale(name)
            for parameter in gradients.parameters_of(optimizer):
                held = storage_of(parameter)
                if held is not None:
                    self._parameters.add(held._cdata)
                    self._set(held, Tag())
                gradient = None if parameter.grad is None else storage_of(parameter.grad)
                if carries and gradient is not None and gradient._cdata not in self._owners:
                    self._owners[gradient._cdata] = name
                    self._set(gradient, Tag(1.0, gradient=True))
        for _, scaler in journal.scalers.live():
            scale = scaler._get_scale_async() if hasattr(scaler, "_get_scale_async") else None
            held = storage_of(scale) if isinstance(scale, torch.Tensor) else None
            if held is not None:
                self._set(held, Tag(1.0))

    def _scale_now(self) -> float:
        if self._scale is None:
            scaled = self._journal.state.scaled
            found = [scaler.get_scale() for name, scaler in self._journal.scalers.live() if name in scaled]
            self._scale = float(found[-1]) if found else 1.0
        return self._scale

    def _get_scale(self, original: Callable[..., Any], scaler: Any) -> Any:
        caller = sys._getframe(2).f_code
        if self._journal.locate.is_users(caller):
            self._knows_scale.add(caller)
        return original(scaler)

    def _follow(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        if self._untagged:
            self._untagged = False
            self._tag_gradients()
        namespace, _, name = func._schema.name.partition("::")
        if namespace != "aten":
            return
        if name == "_local_scalar_dense":
            self._read(args[0], self._journal.locate())
            return
        written = name.endswith("_") and not name.endswith("__")
        op = name.strip("_") if written or name.startswith("_foreach_") else name
        if op.startswith("foreach_"):
            op = op[len("foreach_") :]
            for index in range(len(args[0])):
                row = [item[index] if isinstance(item, (list, tuple)) else item for item in args]
                made = out[index] if isinstance(out, (list, tuple)) and index < len(out) else None
                self._follow_one(op, row, kwargs, made, written)
            return
        self._follow_one(op, args, kwargs, out, written)

    def _follow_one(self, op: str, args: Sequence[Any], kwargs: Any, out: Any, written: bool) -> None:
        operands = [self._operand(item) for item in _flat(args)]
        if not any(isinstance(item, Tag) for item in operands) and op not in degrees.KNOWN_WITHOUT_INPUTS:
            return
        if "alpha" in kwargs:
            operands = [*operands[:2], kwargs["alpha"]]
        place = self._journal.locate()
        scale = self._scale_now() if any(isinstance(item, float) for item in operands) else 0.0
        if degrees.compares_absolutely(op, operands):
            self._read(args[0], place)
        if written:
            self._overwrite(op, args[0], operands, degrees.apply(op, operands, scale, place), place)
            return
        tag = degrees.apply(op, operands, scale, place)
        if self._penalty and _mixes(op, operands, tag):
            self.close()
            self._journal.on_penalty(place)
            return
        if tag is not None:
            for tensor in tensors_in(out):
                held = storage_of(tensor)
                if held is not None and held._cdata not in self._owners:
                    self._set(held, tag)

    def _overwrite(self, op: str, target: Any, operands: Sequence[Operand], tag: Tag | None, place: Place) -> None:
        held = storage_of(target)
        if held is None or held._cdata in self._parameters:
            return
        if op in _VIEWS_OF_GRADIENT or (op == "copy" and (len(operands) < 2 or operands[1] is None)):
            return
        if op == "copy":
            source = operands[1]
            tag = source if isinstance(source, Tag) else None
        if op == "index_put":
            before, mask = operands[0], operands[1] if len(operands) > 1 else None
            if not (isinstance(before, Tag) and isinstance(mask, Tag) and mask.finite):
                return
            tag = Tag(before.degree, before.gradient, scrubbed=True, place=place)
        name = self._owners.get(held._cdata)
        if name is not None:
            self._judge(op, name, operands, tag, place)
        if tag is not None:
            self._set(held, tag if name is None else Tag(tag.degree, gradient=True, by_scale=tag.by_scale))

    def _judge(self, op: str, owner: str, operands: Sequence[Operand], tag: Tag | None, place: Place) -> None:
        """A gradient that carries the scale is written to."""
        if op in ("mul", "div", "true_divide") and len(operands) > 1:
            other = operands[1]
            if isinstance(other, Tag) and other.gradient and other.degree != 0 and not other.by_scale:
                self._write(EventKind.CLIP, place, (owner,))
                return
            if isinstance(other, float) and self._reads and not degrees.is_scale(other, self._scale_now()):
                reads, self._reads = self._reads, {}
                if not any(code in self._knows_scale for code, _ in reads.values()):
                    self._write(EventKind.CLIP, place, (owner,))  # a coefficient from a norm that was read off
                return
        if tag is None:
            if op in degrees.DRAWS_IN_PLACE:
                self._write(EventKind.EDIT_GRAD, place, (owner,))
            return
        where = tag.place if op == "copy" and tag.place[1] else place
        if tag.scrubbed:
            self._write(EventKind.EDIT_GRAD, where, (owner,), scrubs=True)
        elif tag.bent or (tag.degree != 1 and not tag.by_scale):
            self._write(EventKind.EDIT_GRAD, where, (owner,))
        else:
            self._write(EventKind.EDIT_GRAD, where, (owner,), linear=True)

    def _find_replaced(self) -> None:
        """`p.grad = value` passes no op: a gradient that lies in other memory now."""
        for name, optimizer in self._journal.optimizers.live():
            if not self._journal.carries_scale(name):
                continue
            for gradient in gradients.gradients_of(gradients.parameters_of(optimizer)):
                held = storage_of(gradient)
                known = self._tags.get(held._cdata) if held is not None else None
                if held is not None and known is not None and held._cdata not in self._owners:
                    self._owners[held._cdata] = name
                    self._judge("copy", name, (), known[1], known[1].place)

    def _read(self, tensor: Any, place: Place) -> None:
        held = storage_of(tensor)
        known = None if held is None else self._tags.get(held._cdata)
        if known is None or not place[1]:
            return
        tag, code = known[1], self._journal.locate.code()
        if not tag.gradient:
            if tag.degree != 0 and code is not None:
                self._knows_scale.add(code)
        elif tag.speaks_of_scale and not tests_finiteness(code, place[1]):
            carrying = tuple(sorted({name for name in self._owners.values() if self._journal.carries_scale(name)}))
            self._reads.setdefault(place, (code, carrying))

    def _write(self, kind: EventKind, place: Place, optimizers: tuple[str, ...], **fields: bool) -> None:
        if (kind, place) not in self._told:
            self._told.add((kind, place))
            self._journal.emit(kind, place, optimizers=optimizers, **fields)

    def _operand(self, item: Any) -> Operand:
        if isinstance(item, torch.Tensor):
            held = storage_of(item)
            known = None if held is None else self._tags.get(held._cdata)
            return None if known is None else known[1]
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            return float(item)
        return None

    def _set(self, storage: Any, tag: Tag) -> None:
        known = self._tags.get(storage._cdata)
        weak = StorageWeakRef(storage) if known is None else known[0]  # type: ignore[no-untyped-call]
        self._tags[storage._cdata] = (weak, tag)


def _mixes(op: str, operands: Sequence[Operand], tag: Tag | None) -> bool:
    """Whether gradients that carry the scale are added to a number, or to a loss, that does not."""
    if op not in ("add", "sub", "rsub") or tag is None or not tag.gradient or tag.degree == 0:
        return False
    return tag.bent or any(item is None for item in operands[:2])


def tests_finiteness(code: CodeType | None, line: int) -> bool:
    """Whether the line that reads a value does so to see whether it is finite, which the scale does not change."""
    return code is not None and _FINITE_TEST.search(linecache.getline(code.co_filename, line)) is not None


def _flat(args: Sequence[Any]) -> Iterator[Any]:
    for item in args:
        if isinstance(item, (list, tuple)):
            yield from item
        else:
            yield item
