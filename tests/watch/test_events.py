"""The events of a loop, in order and in place, whoever wrote its scaler and optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from ampfix.protocol import EventKind
from tests.watch.toy import half_loss, model, record, scaler


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
    assert {event.path for event in recorded.events} == {Path(__file__).name}
    assert ".backward()" in lines[EventKind.BACKWARD]
    assert ".unscale_(" in lines[EventKind.UNSCALE]
    assert "clip(" in lines[EventKind.CLIP]
    assert ".update()" in lines[EventKind.UPDATE]


def test_a_disabled_scaler_leaves_plain_steps() -> None:
    recorded = record(partial(correct, enabled=False))
    assert recorded.kinds[:5] == ["zero_grad", "forward", "backward", "clip", "optimizer_step"]
    assert recorded.summary["clip"]["mismatched"] == 0
    assert recorded.summary["final_scale"] is None


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
