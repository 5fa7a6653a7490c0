"""What the recorder makes of optimizer steps: applied, skipped, past the scaler, in closures, and schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LambdaLR, ReduceLROnPlateau, SequentialLR, StepLR

from ampfix.protocol import EventKind, Outcome
from ampfix.watch import Recorder
from tests.watch.toy import batch, half_loss, model, record, scaler

OVERFLOWING = {"init_scale": 2.0**40}
"""A scale that overflows float16 gradients, so that the first steps are skipped."""


@pytest.mark.parametrize("fused", [False, True])
def test_skipped_steps_are_told_from_applied_ones(fused: bool) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.AdamW(net.parameters(), fused=fused), scaler(**OVERFLOWING)
        for step in range(30):
            before = [parameter.detach().clone() for parameter in net.parameters()]
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()
            changed.append(any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)))

    changed: list[bool] = []
    recorded = record(loop)
    assert [applied for _, applied in recorded.attempts] == changed
    assert not changed[0]
    assert changed[-1]
    assert recorded.summary["skipped"] == changed.count(False)
    assert recorded.summary["first_skipped_step"] == 0
    outcomes = [event.outcome for event in recorded.of(EventKind.SCALER_STEP)]
    assert outcomes == [Outcome.APPLIED if item else Outcome.SKIPPED for item in changed]
    assert recorded.summary["final_scale"] == 2.0**40 / 2.0 ** changed.count(False)


def test_raw_and_double_steps_are_reported() -> None:
    def loop(double: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=1e-9), scaler()
        for step in range(2):
            scaling.scale(half_loss(net, step)).backward()
            if double:
                scaling.step(optimizer)
                scaling.update()
            optimizer.step()
            optimizer.zero_grad()

    assert record(loop, False).violations == ["raw_step_on_scaled"]
    assert record(loop, True).violations == ["double_step"]


def test_what_torch_refuses_is_reported_before_it_raises() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        scaling.scale(half_loss(net)).backward()
        scaling.step(optimizer)
        recorded.append(optimizer)
        scaling.step(optimizer)

    recorded: list[Any] = []
    recorder = Recorder()
    with pytest.raises(RuntimeError, match="already been called"), recorder:
        loop()
    assert [item.broken.violation.value for item in recorder.violations] == ["double_step"]
    assert recorder.summary()["attempts"] == 2


def test_a_scale_set_by_hand_needs_no_step_before() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        scaling.scale(half_loss(net)).backward()
        scaling.step(optimizer)
        scaling.update()
        scaling.update(1024.0)

    assert record(loop).violations == []


def test_a_closure_behind_the_scalers_back_steps_on_scaled_gradients() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.LBFGS(net.parameters(), max_iter=1), scaler()

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = half_loss(net)
            scaling.scale(loss).backward()
            return loss

        closure()
        scaling.step(optimizer, closure)
        scaling.update()

    recorded = record(loop)
    assert recorded.violations == ["raw_step_on_scaled"]
    assert recorded.attempts == [(0, True)]


def test_a_closure_without_a_scaler_is_one_plain_step() -> None:
    def loop() -> None:
        net = model()
        optimizer = torch.optim.LBFGS(net.parameters(), max_iter=2)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            inputs, labels = batch()
            loss = nn.functional.cross_entropy(net(inputs), labels)
            loss.backward()
            return loss

        for _ in range(2):
            optimizer.step(closure)

    recorded = record(loop)
    assert recorded.kinds.count("optimizer_step") == 2
    assert recorded.attempts == [(0, True), (1, True)]
    assert recorded.violations == []


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "lambda": lambda optimizer: LambdaLR(optimizer, lambda step: 0.9**step),
    "restarts": lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 5),
    "sequence": lambda optimizer: SequentialLR(optimizer, [StepLR(optimizer, 1), StepLR(optimizer, 2)], [2]),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_that_runs_on_through_skipped_steps_is_reported(schedule: str) -> None:
    def loop(guarded: bool, every: int = 1) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler(**OVERFLOWING)
        scheduler = SCHEDULES[schedule](optimizer)
        for step in range(6):
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            before = scaling.get_scale()
            scaling.update()
            if (before <= scaling.get_scale() or not guarded) and (step + 1) % every == 0:
                scheduler.step()
            optimizer.zero_grad()

    recorded = record(loop, False)
    assert recorded.violations == ["scheduler_on_skipped_step"]
    assert len(recorded.of(EventKind.SCHEDULER_STEP)) == 6
    assert record(loop, True).violations == []
    assert record(loop, False, 3).violations == []


def test_a_schedule_that_follows_a_metric_is_left_alone() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler(**OVERFLOWING)
        scheduler = ReduceLROnPlateau(optimizer)
        scaling.scale(half_loss(net)).backward()
        scaling.step(optimizer)
        scaling.update()
        scheduler.step(1.0)

    recorded = record(loop)
    assert recorded.violations == []
    assert "scheduler_step" not in recorded.kinds


class _Fragile(torch.optim.SGD):
    """Fails once, as a step that runs out of memory does."""

    failed = False

    def step(self, closure: Any = None) -> Any:
        if not self.failed:
            self.failed = True
            raise MemoryError
        return super().step(closure)


def test_a_step_that_raised_and_was_caught_hides_no_later_one() -> None:
    def loop() -> None:
        net = model()
        optimizer = _Fragile(net.parameters(), lr=0.1)
        for step in range(3):
            nn.functional.cross_entropy(net(batch(step)[0]), batch(step)[1]).backward()
            try:
                optimizer.step()
            except MemoryError:
                optimizer.zero_grad()

    recorded = record(loop)
    assert recorded.kinds.count("optimizer_step") == 3
    assert recorded.attempts == [(0, True), (1, True)]


def test_a_scaler_for_each_step_is_counted_and_no_violation() -> None:
    def loop() -> None:
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(5):
            scaling = scaler()
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    assert recorded.violations == []
    assert recorded.summary["scalers"] == 5
