"""What the recorder makes of training loops, right and wrong, in the shapes people write them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LambdaLR, ReduceLROnPlateau, SequentialLR, StepLR

from ampfix.protocol import EventKind, Outcome
from ampfix.watch import Recorder
from tests.watch.toy import batch, half_loss, model, record, scaler

OVERFLOWING = {"init_scale": 2.0**40}
"""A scale that overflows float16 gradients, so that the first steps are skipped."""


def correct(steps: int = 3, clip: Callable[..., Any] = clip_grad_norm_, **options: Any) -> None:
    net = model()
    optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler(**options)
    for step in range(steps):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        scaling.unscale_(optimizer)
        clip(net.parameters(), 0.1)
        scaling.step(optimizer)
        scaling.update()


def test_a_correct_loop_gives_its_events_in_order_and_no_violation() -> None:
    recorded = record(correct)
    step = ["zero_grad", "scale", "backward", "unscale", "clip", "scaler_step", "update"]
    assert recorded.kinds == step * 3
    assert recorded.violations == []
    assert recorded.attempts == [(0, True), (1, True), (2, True)]
    assert [event.step for event in recorded.of(EventKind.UPDATE)] == [1, 2, 3]
    assert [event.step for event in recorded.of(EventKind.BACKWARD)] == [0, 1, 2]


def test_an_event_lies_at_the_users_line() -> None:
    recorded = record(correct, root=Path(__file__))
    source = Path(__file__).read_text().splitlines()
    lines = {event.kind: source[event.line - 1] for event in recorded.events}
    assert {event.path for event in recorded.events} == {"test_loops.py"}
    assert ".backward()" in lines[EventKind.BACKWARD]
    assert ".unscale_(" in lines[EventKind.UNSCALE]
    assert "clip(" in lines[EventKind.CLIP]
    assert ".update()" in lines[EventKind.UPDATE]


def clip_while_scaled(optimizer_class: Any = torch.optim.SGD, clip: Any = clip_grad_norm_, **options: Any) -> None:
    net = model()
    optimizer, scaling = optimizer_class(net.parameters(), lr=0.1, **options), scaler()
    for step in range(3):
        scaling.scale(half_loss(net, step)).backward()
        clip(net.parameters(), 0.1)
        scaling.step(optimizer)
        scaling.update()
        net.zero_grad()


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_], ids=["norm", "value"])
@pytest.mark.parametrize(
    ("optimizer_class", "options"),
    [
        (torch.optim.SGD, {}),
        (torch.optim.AdamW, {"foreach": True}),
        (torch.optim.AdamW, {"foreach": False}),
        (torch.optim.AdamW, {"fused": True}),
        (torch.optim.SGD, {"fused": True}),
    ],
    ids=str,
)
def test_a_clip_on_scaled_gradients_is_reported_and_the_oracle_agrees(
    clip: Any, optimizer_class: Any, options: dict[str, Any]
) -> None:
    recorded = record(clip_while_scaled, partial(optimizer_class, **options), clip)
    assert recorded.violations == ["clip_while_scaled"]
    facts = recorded.summary["clip"]
    assert (facts["checked"], facts["mismatched"], facts["while_scaled"]) == (3, 3, 3)
    assert facts["worst_ratio"] == pytest.approx(2.0**-16, rel=0.02)
    assert facts["first_mismatch"]["step"] == 0


@pytest.mark.parametrize(
    "clip",
    [
        partial(clip_grad_norm_, max_norm=0.1),
        partial(clip_grad_norm_, max_norm=1e6),
        partial(clip_grad_norm_, max_norm=0.05, norm_type=1),
        partial(clip_grad_norm_, max_norm=0.05, norm_type=float("inf"), foreach=False),
        partial(clip_grad_value_, clip_value=0.01),
        lambda parameters: torch.nn.utils.clip_grad_norm_(list(parameters), 0.1),
    ],
)
@pytest.mark.parametrize("fused", [False, True])
def test_the_oracle_agrees_with_every_clip_on_unscaled_gradients(clip: Any, fused: bool) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.AdamW(net.parameters(), fused=fused), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            scaling.unscale_(optimizer)
            clip(net.parameters())
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    facts = recorded.summary["clip"]
    assert (facts["checked"], facts["mismatched"], recorded.violations) == (3, 0, [])


def test_a_threshold_multiplied_by_the_scale_clips_scaled_gradients_rightly() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            clip_grad_norm_(net.parameters(), 0.1 * scaling.get_scale())
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    facts = recorded.summary["clip"]
    assert (recorded.violations, facts["checked"], facts["mismatched"]) == ([], 3, 0)


def test_an_infinite_threshold_is_a_read() -> None:
    def loop(before: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        scaling.scale(half_loss(net)).backward()
        if not before:
            scaling.unscale_(optimizer)
        clip_grad_norm_(net.parameters(), float("inf"))

    assert record(loop, True).violations == ["read_while_scaled"]
    assert record(loop, False).violations == []


def test_an_empty_generator_still_makes_torch_warn() -> None:
    with pytest.warns(UserWarning, match="empty generator"):
        record(lambda: clip_grad_norm_((p for p in []), 1.0))


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


def test_gradients_of_an_accumulation_window_are_scaled_and_unscaled_once() -> None:
    def loop(every: int) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(8):
            (scaling.scale(half_loss(net, step)) / 4).backward()
            if (step + 1) % every == 0:
                scaling.unscale_(optimizer)
            if (step + 1) % 4 == 0:
                scaling.step(optimizer)
                scaling.update()
                optimizer.zero_grad(set_to_none=False)

    assert record(loop, 4).violations == []
    with pytest.raises(RuntimeError, match="already been called"):
        record(loop, 1)


def two_players(joint_update: bool) -> None:
    first, second = model(0), model(1)
    one, two = torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.Adam(second.parameters())
    scaling = scaler(growth_interval=1)
    for step in range(3):
        one.zero_grad()
        two.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            inputs, labels = batch(step)
            loss = nn.functional.cross_entropy(first(inputs) + second(inputs), labels)
        scaling.scale(loss).backward()
        scaling.step(one)
        if not joint_update:
            scaling.update()
        scaling.step(two)
        scaling.update()


def test_two_optimizers_of_one_scaler_are_told_apart() -> None:
    recorded = record(two_players, True)
    assert recorded.violations == []
    assert recorded.of(EventKind.BACKWARD)[0].optimizers == ("Adam-1", "SGD-0")
    assert record(two_players, False).violations == ["update_between_steps"]


def test_two_scalers_are_told_apart() -> None:
    def loop(swapped: bool) -> None:
        first, second = model(0), model(1)
        one, two = torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.Adam(second.parameters())
        a, b = scaler(), scaler(init_scale=512.0)
        for step in range(2):
            a.scale(half_loss(first, step)).backward()
            b.scale(half_loss(second, step)).backward()
            for scaling, optimizer in ((a, two), (b, one)) if swapped else ((a, one), (b, two)):
                scaling.step(optimizer)
                scaling.update()
                optimizer.zero_grad()

    assert record(loop, False).violations == []
    assert set(record(loop, True).violations) == {"wrong_scaler"}


def test_backward_concerns_the_optimizers_that_received_gradients() -> None:
    def loop() -> None:
        generator, critic = model(0), nn.Linear(4, 1)
        g, d = torch.optim.SGD(generator.parameters(), lr=0.1), torch.optim.Adam(critic.parameters())
        critic(generator(batch()[0]).detach()).sum().backward()
        critic(generator(batch()[0])).sum().backward()
        critic(generator(batch()[0])).sum().backward(inputs=list(generator.parameters()))
        torch.autograd.grad(critic(generator(batch()[0])).sum(), list(generator.parameters()))
        names.extend((g, d))

    names: list[Any] = []
    recorded = record(loop)
    assert [event.optimizers for event in recorded.of(EventKind.BACKWARD)] == [
        ("Adam-1",),
        ("Adam-1", "SGD-0"),
        ("SGD-0",),
    ]


@pytest.mark.parametrize("clear", ["none", "zero_", "zero_grad", "set_to_none"])
def test_gradients_may_be_cleared_in_any_way(clear: str) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()
            for parameter in net.parameters():
                if clear == "none":
                    parameter.grad = None
                elif clear == "zero_":
                    parameter.grad.zero_()  # type: ignore[union-attr]
            if clear == "zero_grad":
                net.zero_grad(set_to_none=False)
            elif clear == "set_to_none":
                optimizer.zero_grad(set_to_none=True)

    assert record(loop).violations == []


def test_gradients_never_cleared_mix_with_scaled_ones() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(3):
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()

    assert record(loop).violations == ["mixed_gradients"]


def test_one_of_two_losses_left_unscaled_is_seen_in_a_sum_too() -> None:
    def loop(separately: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        one, two = half_loss(net, 0), half_loss(net, 1)
        if separately:
            scaling.scale(one).backward()
            two.backward()
        else:
            (scaling.scale(one) + two).backward()
        scaling.step(optimizer)

    assert record(loop, True).violations == ["mixed_gradients"]
    assert record(loop, False).violations == ["mixed_gradients"]


def test_several_scaled_losses_in_a_sum_are_not_mixed() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        losses = scaling.scale([half_loss(net, step) for step in range(3)])
        (sum(losses) / 3 + 1.0).backward()
        scaling.step(optimizer)

    recorded = record(loop)
    assert recorded.violations == []
    assert [event.scaler for event in recorded.of(EventKind.BACKWARD)] == ["GradScaler-0"]


def without_scaler(factor: float = 1.0, dtype: torch.dtype = torch.float16, scaling: Any = None) -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for step in range(2):
        loss = half_loss(net, step, dtype) * factor
        (loss if scaling is None else scaling.scale(loss)).backward()
        (optimizer.step if scaling is None else partial(scaling.step, optimizer))()
        optimizer.zero_grad()


def test_a_float16_forward_without_a_scaler_is_reported() -> None:
    assert record(without_scaler).violations == ["fp16_without_scaler"]
    assert record(without_scaler, 1.0, torch.float16, scaler(enabled=False)).violations == ["fp16_without_scaler"]


def test_bfloat16_and_scaling_by_hand_need_none() -> None:
    assert record(without_scaler, 1.0, torch.bfloat16).violations == []
    assert record(without_scaler, 1024.0).violations == []


def test_a_float16_forward_that_is_not_trained_needs_no_scaler() -> None:
    def loop() -> None:
        teacher, net = model(1), model(0)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        inputs, _ = batch()
        with torch.autocast("cpu", dtype=torch.float16), torch.no_grad():
            wanted = teacher(inputs)
        with torch.autocast("cpu", dtype=torch.float16):
            teacher(inputs)
        nn.functional.mse_loss(net(inputs), wanted.float()).backward()
        optimizer.step()

    assert record(loop).violations == []


def test_a_disabled_scaler_leaves_plain_steps() -> None:
    recorded = record(partial(correct, enabled=False))
    assert recorded.kinds[:5] == ["zero_grad", "forward", "backward", "clip", "optimizer_step"]
    assert recorded.summary["clip"]["mismatched"] == 0
    assert recorded.summary["final_scale"] is None


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


class _OwnScaler(torch.amp.GradScaler):
    """As libraries write them: every method goes on to the base class."""

    def scale(self, outputs: Any) -> Any:
        return super().scale(outputs)

    def unscale_(self, optimizer: Any) -> None:
        super().unscale_(optimizer)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        return super().step(optimizer, *args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        super().update(new_scale)


def test_a_subclass_of_gradscaler_is_recorded_once() -> None:
    def loop(scaler_class: Any) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler_class("cpu")
        scaling.scale(half_loss(net)).backward()
        scaling.unscale_(optimizer)
        scaling.step(optimizer)
        scaling.update()

    own, torchs = record(loop, _OwnScaler), record(loop, torch.amp.GradScaler)
    assert own.kinds == torchs.kinds
    assert own.kinds == ["scale", "backward", "unscale", "scaler_step", "update"]


class _Wrapper:
    """An optimizer in another's clothes, as training libraries pass around."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self) -> None:
        self.optimizer.step()


def test_a_wrapped_optimizer_is_the_one_it_wraps() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        wrapper = _Wrapper(optimizer)
        for step in range(2):
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(wrapper)  # type: ignore[arg-type]
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    assert recorded.violations == []
    assert {name for event in recorded.events for name in event.optimizers} == {"SGD-0"}
    assert recorded.attempts == [(0, True), (1, True)]


def test_optimizers_made_before_the_recording_are_known_at_the_first_backward() -> None:
    first, second = model(0), model(1)
    one, two = torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.SGD(second.parameters(), lr=0.1)
    scaling = scaler()

    def loop() -> None:
        one.zero_grad()
        scaling.scale(half_loss(first) + half_loss(second)).backward()
        scaling.step(one)
        scaling.step(two)
        scaling.update()

    recorded = record(loop)
    assert recorded.violations == []
    assert len(recorded.of(EventKind.BACKWARD)[0].optimizers) == 2


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


def test_backward_inside_the_region_is_reported() -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        with torch.autocast("cpu", dtype=torch.float16):
            scaling.scale(nn.functional.cross_entropy(net(batch()[0]), batch()[1])).backward()
        scaling.step(optimizer)

    assert record(loop).violations == ["backward_in_autocast"]


def test_checkpoints_tell_which_states_they_hold(tmp_path: Any) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        state = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, tmp_path / "without.pt")
        torch.save({**state, "amp": scaling.state_dict()}, tmp_path / "with.pt")
        torch.load(tmp_path / "with.pt")

    recorded = record(loop)
    without, complete = recorded.of(EventKind.CHECKPOINT_SAVE)
    (loaded,) = recorded.of(EventKind.CHECKPOINT_LOAD)
    assert (without.scaler, without.optimizers) == (None, ("optimizer",))
    assert (complete.scaler, complete.optimizers) == (loaded.scaler, loaded.optimizers) == ("amp", ("optimizer",))


def test_sparse_double_and_missing_gradients_do_no_harm() -> None:
    def loop() -> None:
        embedding, wide, unused = nn.Embedding(5, 3, sparse=True), nn.Linear(3, 1).double(), nn.Linear(2, 2)
        parameters = [*embedding.parameters(), *wide.parameters(), *unused.parameters()]
        optimizer, scaling = torch.optim.SGD(parameters, lr=0.1), scaler()
        for _ in range(3):
            loss = wide(embedding(torch.tensor([0, 1, 1])).double()).sum()
            scaling.scale(loss.float()).backward()
            scaling.unscale_(optimizer)
            clip_grad_value_(wide.parameters(), 0.1)
            scaling.step(optimizer)
            scaling.update()
            for parameter in parameters:
                parameter.grad = None

    recorded = record(loop)
    assert recorded.violations == []
    assert recorded.summary["clip"]["mismatched"] == 0


class _Extended(torch.amp.GradScaler):
    """Methods with signatures of their own."""

    def unscale_(self, optimizer: Any, clear: bool = False) -> None:  # type: ignore[override]
        super().unscale_(optimizer)

    def update(self) -> None:  # type: ignore[override]
        super().update()


def test_calls_reach_torch_as_they_were_written(tmp_path: Path) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(params=net.parameters(), lr=0.1), _Extended(device="cpu")
        torch.autograd.backward(tensors=scaling.scale(outputs=half_loss(net)))
        scaling.unscale_(optimizer=optimizer, clear=True)
        clip_grad_norm_(parameters=net.parameters(), max_norm=0.1, error_if_nonfinite=True)
        clip_grad_value_(parameters=net.parameters(), clip_value=1.0)
        scaling.step(optimizer=optimizer)
        scaling.update()
        torch.save(obj=scaling.state_dict(), f=tmp_path / "scaler.pt")

    recorded = record(loop)
    assert recorded.kinds == [
        "scale",
        "backward",
        "unscale",
        "clip",
        "clip",
        "scaler_step",
        "update",
        "checkpoint_save",
    ]
    assert recorded.violations == []


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


def test_an_optimizer_around_another_is_one_step() -> None:
    class Lookahead(torch.optim.Optimizer):
        def __init__(self, inner: torch.optim.Optimizer) -> None:
            super().__init__(inner.param_groups, {})
            self.inner = inner

        def step(self, closure: Any = None) -> Any:
            return self.inner.step(closure)

    def loop(scaled: bool) -> None:
        net = model()
        optimizer, scaling = Lookahead(torch.optim.SGD(net.parameters(), lr=0.1)), scaler(enabled=scaled)
        for step in range(2):
            scaling.scale(half_loss(net, step, torch.bfloat16)).backward()
            scaling.unscale_(optimizer)
            clip_grad_norm_(net.parameters(), 0.1)
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    for scaled in (True, False):
        recorded = record(loop, scaled)
        assert recorded.violations == []
        assert recorded.attempts == [(0, True), (1, True)]


@pytest.mark.parametrize("explicit", [False, True])
def test_gradients_put_in_place_by_hand_are_gradients(explicit: bool) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(2):
            optimizer.zero_grad()
            parameters = list(net.parameters())
            for parameter, gradient in zip(
                parameters, torch.autograd.grad(scaling.scale(half_loss(net, step)), parameters), strict=True
            ):
                parameter.grad = gradient
            if explicit:
                scaling.unscale_(optimizer)
            scaling.step(optimizer)
            scaling.update()

    assert record(loop).violations == []


def test_a_step_without_gradients_is_reported() -> None:
    def loop(set_to_none: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        scaling.scale(half_loss(net)).backward()
        optimizer.zero_grad(set_to_none=set_to_none)
        scaling.step(optimizer)
        scaling.update()

    assert record(loop, False).violations == ["step_without_gradients"]
    with pytest.raises(AssertionError, match="No inf checks"):
        record(loop, True)
