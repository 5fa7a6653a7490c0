"""The recorder as a guest in somebody's process: it changes no result, leaves nothing behind, and stays small."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp.autocast_mode import autocast
from torch.optim import lr_scheduler
from torch.optim.optimizer import Optimizer, _global_optimizer_post_hooks, _global_optimizer_pre_hooks
from torch.utils.checkpoint import checkpoint

from ampfix import emulate
from ampfix.protocol import EventKind
from ampfix.watch import Recorder
from ampfix.watch.facts import CURVE_POINTS
from tests.watch.toy import attention, batch, half_loss, model, record, scaler, train


@pytest.mark.parametrize("build", [model, attention])
def test_results_are_bit_identical_under_the_recorder(build: Any) -> None:
    plain = train(build())
    recorded: list[list[torch.Tensor]] = []
    record(lambda: recorded.append(train(build())))
    assert all(torch.equal(a, b) for a, b in zip(plain, recorded[0], strict=True))


def _watched() -> dict[str, Any]:
    """Everything that the recorder patches, as found where callers look it up."""
    clip = torch.nn.utils.clip_grad
    found: dict[str, Any] = {
        f"{owner.__name__}.{name}": vars(owner)[name]
        for owner, names in {
            torch.amp.GradScaler: ("scale", "unscale_", "step", "update"),
            autocast: ("__enter__", "__exit__"),
            Optimizer: ("__init__", "zero_grad"),
            nn.Module: ("zero_grad",),
            lr_scheduler.LRScheduler: ("step", "_initial_step"),
            lr_scheduler.SequentialLR: ("step",),
        }.items()
        for name in names
    }
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        found[name] = [cell.cell_contents for cell in getattr(clip, name).__closure__]
    found["engine"] = vars(torch.autograd)["_engine_run_backward"]
    found["save"], found["load"] = torch.save, torch.load
    found["hooks"] = (
        len(_global_optimizer_pre_hooks),
        len(_global_optimizer_post_hooks),
    )
    return found


@pytest.mark.parametrize("recorder_leaves", ["first", "last"])
def test_everything_is_put_back_whoever_leaves_first(recorder_leaves: str) -> None:
    before = _watched()
    device, recording = emulate.cuda("A100"), Recorder()
    device.__enter__()
    with recording:
        assert _watched() != before
        train(model(), 2)
        if recorder_leaves == "last":
            device.__exit__(None, None, None)
    if recorder_leaves == "first":
        device.__exit__(None, None, None)
    assert _watched() == before


def test_the_recorder_may_start_before_the_emulation() -> None:
    before = _watched()
    recording = Recorder()
    with recording, emulate.cuda("A100"):
        net = model().cuda()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), torch.amp.GradScaler("cuda")
        with torch.autocast("cuda"):
            loss = nn.functional.cross_entropy(net(batch()[0].cuda()), batch()[1].cuda())
        scaling.scale(loss).backward()
        scaling.step(optimizer)
        scaling.update()
    assert _watched() == before
    assert recording.summary()["applied"] == 1


def test_everything_is_put_back_when_the_loop_crashes() -> None:
    before = _watched()
    with pytest.raises(ZeroDivisionError), Recorder():
        train(model(), 2)
        raise ZeroDivisionError
    assert _watched() == before
    assert not torch.utils._python_dispatch._get_current_dispatch_mode()


def test_two_recorders_one_in_the_other_both_record() -> None:
    before = _watched()
    outer, inner = Recorder(), Recorder()
    with outer, inner:
        train(model(), 3)
    assert _watched() == before
    assert outer.summary()["events"] == inner.summary()["events"] > 0


def test_a_recorder_records_once() -> None:
    recorder = Recorder()
    with recorder:
        pass
    with pytest.raises(RuntimeError, match="make another one"), recorder:
        pass


SPELLINGS = {
    "torch.autocast": lambda: torch.autocast("cuda", dtype=torch.float16),
    "torch.amp": lambda: torch.amp.autocast("cuda"),
    "torch.cuda.amp": lambda: torch.cuda.amp.autocast(),
    "positional": lambda: torch.autocast("cuda", torch.float16),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("decorated", [False, True])
@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_every_spelling_of_autocast_is_seen(spelling: str, decorated: bool) -> None:
    def loop() -> None:
        region = SPELLINGS[spelling]()
        if decorated:
            region(lambda: None)()
        else:
            with region:
                pass

    with emulate.cuda("A100"):
        recorded = record(loop)
    assert [(event.kind, event.dtype) for event in recorded.events] == [
        (EventKind.AUTOCAST_ENTER, "float16"),
        (EventKind.AUTOCAST_EXIT, None),
    ]


def test_a_disabled_region_has_no_dtype() -> None:
    def loop() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.autocast("cpu", enabled=False):
            pass

    assert [event.dtype for event in record(loop).of(EventKind.AUTOCAST_ENTER)] == ["bfloat16", None]


def test_regions_of_other_threads_are_not_ours() -> None:
    def loop() -> None:
        thread = threading.Thread(target=half_loss, args=(model(),))
        thread.start()
        thread.join()

    assert record(loop).events == []


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_and_undifferentiated_forwards_make_no_difference(reentrant: bool) -> None:
    def loop() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.1), scaler()
        for step in range(2):
            with torch.no_grad():
                half_loss(net, step)
            inputs, labels = batch(step)
            with torch.autocast("cpu", dtype=torch.float16):
                hidden = checkpoint(net, inputs.requires_grad_(), use_reentrant=reentrant)
                loss = nn.functional.cross_entropy(hidden, labels)
            scaling.scale(loss).backward()
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop)
    assert recorded.kinds == ["scale", "backward", "scaler_step", "update", "zero_grad"] * 2
    assert recorded.violations == []


def test_a_compiled_model_is_recorded_as_any() -> None:
    def loop() -> None:
        train(torch.compile(model(), backend="eager"), 3)  # type: ignore[arg-type]

    recorded = record(loop)
    assert recorded.violations == []
    assert recorded.kinds.count("backward") == 3


def test_weights_have_their_new_values_when_an_attempt_is_told() -> None:
    net = model()
    seen: list[torch.Tensor] = []

    def told(*_: object) -> None:
        seen.append(next(net.parameters()).detach().clone())

    with Recorder(on_attempt=told) as recorder:
        final = train(net, 10)[0]
    assert torch.equal(seen[-1], final)
    for before, after, step in zip(seen, seen[1:], recorder.steps[1:], strict=False):
        assert torch.equal(before, after) is not step.applied


def test_what_is_recorded_is_not_kept_alive() -> None:
    def loop() -> None:
        for _ in range(3):
            net = model()
            train(net, 1)
            alive.append(weakref.ref(net))

    alive: list[Any] = []
    with Recorder() as recorder:
        loop()
        gc.collect()
        assert [reference() for reference in alive] == [None] * 3
    assert recorder.summary()["optimizers"] == 3


def test_the_summary_is_json_and_bounded_however_long_the_run(tmp_path: Path) -> None:
    def loop(steps: int) -> None:
        parameter = nn.Parameter(torch.ones(1))
        optimizer, scaling = torch.optim.SGD([parameter], lr=1e-3), scaler(growth_interval=10)
        for step in range(steps):
            scaling.scale((parameter * (float("inf") if step % 7 == 3 else 1.0)).sum()).backward()
            scaling.step(optimizer)
            scaling.update()
            optimizer.zero_grad()

    recorded = record(loop, 1200)
    text = json.dumps(recorded.summary, allow_nan=False)
    assert len(text) < 60_000
    summary = recorded.summary
    assert summary["attempts"] == 1200
    assert summary["loss"]["first_nonfinite_step"] == 3
    assert summary["skipped"] == sum(step % 7 == 3 for step in range(1200))
    assert len(recorded.recorder.steps) <= CURVE_POINTS
    assert all(item.applied is (item.attempt % 7 != 3) for item in recorded.recorder.steps)
