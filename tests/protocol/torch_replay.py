"""The same sequence of operations three times: as protocol events, on torch's own GradScaler, and in plain fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from ampfix.protocol import INITIAL, Event, EventKind, State, Violation, advance

OPTIMIZERS = ("adam", "sgd")
SCALERS = ("first", "second")
INITIAL_SCALE = {"first": 2.0**10, "second": 2.0**7}
NEW_SCALE = 2.0**9  # what a forced update sets
CLIP_NORM = 0.5


@dataclass(frozen=True)
class Op:
    """One operation. overflow: the loss is infinite. zeros: zero_grad(set_to_none=False)."""

    kind: EventKind
    scaler: str | None = None
    optimizers: tuple[str, ...] = ()
    overflow: bool = False
    zeros: bool = False
    linear: bool = False
    forced: bool = False

    def __str__(self) -> str:
        extra = [name for name in ("overflow", "zeros", "linear", "forced") if getattr(self, name)]
        return f"{self.kind.value}({', '.join(filter(None, (self.scaler, *self.optimizers, *extra)))})"

    def events(self) -> list[Event]:
        event = Event(self.kind, self.scaler, self.optimizers, linear=self.linear, forced=self.forced)
        if self.kind is EventKind.BACKWARD and self.scaler is not None:
            return [Event(EventKind.SCALE, self.scaler), event]
        return [event]


class Run:
    """Two optimizers over a vector each. Every loss is another one, so that no two gradients are alike."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.parameters = {name: torch.nn.Parameter(torch.randn(3, generator=generator)) for name in OPTIMIZERS}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.Adam([self.parameters["adam"]], lr=0.1),
            "sgd": torch.optim.SGD([self.parameters["sgd"]], lr=0.1, momentum=0.9),
        }
        self.targets = torch.randn(64, 3, generator=generator)
        self.losses = 0

    def loss(self, op: Op) -> torch.Tensor:
        self.losses += 1
        target = self.targets[self.losses % len(self.targets)]
        product = torch.ones(3)
        for name in op.optimizers:
            product = product * self.parameters[name]
        return ((product - target) ** 2).sum() * (float("inf") if op.overflow else 1.0)

    def apply(self, op: Op) -> None:
        getattr(self, op.kind.value)(op)

    def zero_grad(self, op: Op) -> None:
        for name in op.optimizers:
            self.optimizers[name].zero_grad(set_to_none=not op.zeros)

    def clip(self, op: Op) -> None:
        torch.nn.utils.clip_grad_norm_([self.parameters[name] for name in op.optimizers], CLIP_NORM)

    def edit_grad(self, op: Op) -> None:
        for gradient in [self.parameters[name].grad for name in op.optimizers]:
            if gradient is not None and bool(gradient.any()):  # the protocol takes zeros for no gradient at all
                _ = gradient.mul_(0.5) if op.linear else gradient.add_(0.25)

    def read_grad(self, op: Op) -> None:
        pass

    def optimizer_step(self, op: Op) -> None:
        for name in op.optimizers:
            self.optimizers[name].step()

    def weights(self) -> torch.Tensor:
        return torch.cat([parameter.detach() for parameter in self.parameters.values()])


class ScaledRun(Run):
    """With torch's GradScaler, whose scale changes at every update so that no stale scale goes unnoticed."""

    def __init__(self) -> None:
        super().__init__()
        self.scalers = {
            name: torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=1)
            for name, scale in INITIAL_SCALE.items()
        }

    def backward(self, op: Op) -> None:
        loss = self.loss(op)
        (loss if op.scaler is None else self.scalers[op.scaler].scale(loss)).backward()

    def unscale(self, op: Op) -> None:
        for name in op.optimizers:
            self.scalers[op.scaler].unscale_(self.optimizers[name])

    def scaler_step(self, op: Op) -> None:
        for name in op.optimizers:
            self.scalers[op.scaler].step(self.optimizers[name])

    def update(self, op: Op) -> None:
        self.scalers[op.scaler].update(NEW_SCALE if op.forced else None)


class PlainRun(Run):
    """What the loop means: fp32, where a step that a scaler would take is skipped if its gradients are not finite."""

    def backward(self, op: Op) -> None:
        self.loss(op).backward()

    def unscale(self, op: Op) -> None:
        pass

    def scaler_step(self, op: Op) -> None:
        for name in op.optimizers:
            gradient = self.parameters[name].grad
            if gradient is None or bool(gradient.isfinite().all()):
                self.optimizers[name].step()

    def update(self, op: Op) -> None:
        pass


@dataclass
class Replayed:
    """What became of a sequence. raised, differed: index of the operation, None for never."""

    reported: list[tuple[int, Violation]] = field(default_factory=list)
    raised: int | None = None
    differed: int | None = None

    @property
    def violations(self) -> list[Violation]:
        return [violation for _, violation in self.reported]

    def reported_by(self, index: int) -> bool:
        return any(at <= index for at, _ in self.reported)


def run(ops: Sequence[Op], start: State = INITIAL) -> Replayed:
    """Replay until torch raises; every error of torch's is taken for its verdict on the sequence."""
    outcome, state = Replayed(), start
    scaled, plain = ScaledRun(), PlainRun()
    for index, op in enumerate(ops):
        for event in op.events():
            state, broken = advance(state, event)
            outcome.reported += [(index, item.violation) for item in broken]
        if outcome.raised is not None:
            continue
        try:
            scaled.apply(op)
        except (RuntimeError, AssertionError):
            outcome.raised = index
            continue
        plain.apply(op)
        if outcome.differed is None and not _same(scaled.weights(), plain.weights()):
            outcome.differed = index
    return outcome


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    # Scales are powers of two, so scaling and unscaling are exact; sums of accumulated gradients are not.
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def op(kind: EventKind) -> Callable[..., Op]:
    def make(scaler: str | None, *optimizers: str, **options: bool) -> Op:
        return Op(kind, scaler, optimizers, **options)

    return make


backward, unscale = op(EventKind.BACKWARD), op(EventKind.UNSCALE)
scaler_step, optimizer_step = op(EventKind.SCALER_STEP), op(EventKind.OPTIMIZER_STEP)
update, zero_grad, clip = op(EventKind.UPDATE), op(EventKind.ZERO_GRAD), op(EventKind.CLIP)
edit_grad, read_grad = op(EventKind.EDIT_GRAD), op(EventKind.READ_GRAD)
