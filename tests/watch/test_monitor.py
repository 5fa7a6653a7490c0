"""A watched run: what it tells, when, what it leaves on disk, and that it changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import ampfix
from ampfix.watch import Watch, log
from ampfix.watch.alarms import Alarm
from ampfix.watch.monitor import TraceDone
from tests.watch.toy import batch, half_loss, model, scaler, train

Change = Callable[[int, torch.Tensor], torch.Tensor]


def watched(loop: Callable[..., object], *args: Any, **options: Any) -> Watch:
    watch = Watch(tell=lambda _: None, **options)
    with watch:
        loop(*args)
    return watch


def told(watch: Watch) -> list[str]:
    return [alarm.code or alarm.name for alarm in watch.alarms]


def loop(change: Change, steps: int = 30, scaled: bool = True, init_scale: float = 256.0) -> None:
    """Train in float16 with the inputs of each step changed."""
    net = model()
    optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=init_scale, enabled=scaled)
    for step in range(steps):
        inputs, labels = batch(step)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16 if scaled else torch.bfloat16):
            loss = nn.functional.cross_entropy(net(change(step, inputs)), labels)
        scaling.scale(loss).backward()
        scaling.step(optimizer)
        scaling.update()


def test_a_right_loop_raises_no_alarm() -> None:
    assert told(watched(train, model(), 40)) == []


def test_settling_of_a_large_first_scale_is_no_alarm() -> None:
    def steps() -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=2.0**26)
        for step in range(20):
            optimizer.zero_grad()
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()

    watch = watched(steps)
    assert watch.summary()["skipped"] > 3
    assert told(watch) == []


def test_one_bad_batch_that_the_scaler_skips_is_no_alarm() -> None:
    watch = watched(loop, lambda step, inputs: inputs * (1e30 if step == 9 else 1.0))
    assert watch.summary()["skipped"] == 1
    assert told(watch) == []


def test_a_forward_that_overflows_for_good_is_told_with_its_op() -> None:
    watch = watched(loop, lambda step, inputs: inputs * 1e6 if step >= 5 else inputs)
    assert watch.first_bad_step == 5
    assert watch.bad_op is not None
    assert (watch.bad_op.op, watch.bad_op.result, watch.bad_op.path) == ("_to_copy", "float16", __file__)
    assert "loss-not-finite" in told(watch)
    assert "steps-skipped-for-good" in told(watch)
    first = min(alarm.step for alarm in watch.alarms)
    assert first == 6


def test_a_step_on_a_loss_that_is_not_finite_is_told_at_once() -> None:
    watch = watched(loop, lambda step, inputs: inputs * (float("nan") if step == 4 else 1.0), 6, False)
    (first, *_) = watch.alarms
    assert (first.code, first.step) == ("AMP411", 4)


def test_replaying_a_step_is_exact_and_ends_the_run() -> None:
    def spoil(step: int, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * 1e6 if step >= 5 else inputs

    first: list[Any] = []
    watched(loop, spoil, on_step=lambda facts: first.append(facts.loss))
    again: list[Any] = []
    watch = Watch(tell=lambda _: None, trace_step=5, on_step=lambda facts: again.append(facts.loss))
    with pytest.raises(TraceDone), watch:
        loop(spoil)
    assert repr(again) == repr(first[:6])
    assert watch.bad_op is not None
    assert [alarm.step for alarm in watch.alarms if alarm.name == "first-bad-op"] == [5]


class Square(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.first(inputs)
        normed = hidden * torch.rsqrt((hidden * hidden).mean(-1, keepdim=True) + 1e-6)
        out: torch.Tensor = self.last(normed)
        return out


def test_an_overflow_that_turns_into_finite_values_is_told() -> None:
    def steps() -> None:
        net, scaling = Square(), scaler(init_scale=256.0)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
        for step in range(4):
            inputs, labels = batch(step)
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = nn.functional.cross_entropy(net(inputs * 1e3), labels)
            scaling.scale(loss).backward()
            scaling.step(optimizer)
            scaling.update()

    (alarm,) = watched(steps).alarms
    assert alarm.code == "AMP406"
    assert alarm.step <= 1  # 0 where nothing can have been compiled in this process
    assert alarm.evidence["op"] == "mul"


def scale_each_step() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(5):
        scaling = scaler(init_scale=256.0)
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        scaling.step(optimizer)
        scaling.update()


def scaler_alone() -> None:
    net, scaling = model(), scaler(init_scale=256.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(5):
        inputs, labels = batch(step)
        optimizer.zero_grad()
        scaling.scale(nn.functional.cross_entropy(net(inputs), labels)).backward()
        scaling.step(optimizer)
        scaling.update()


def half_weights() -> None:
    net = model().bfloat16()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(3):
        inputs, labels = batch(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs.bfloat16()).float(), labels).backward()
        optimizer.step()


def half_average() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    averages = [parameter.detach().bfloat16() for parameter in net.parameters()]
    for step in range(12):
        optimizer.zero_grad()
        half_loss(net, step, torch.bfloat16).backward()
        optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(averages, net.parameters(), strict=True):
                average.mul_(0.99).add_(parameter, alpha=0.01)


def region_off() -> None:
    net, scaling = model(), scaler(init_scale=256.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(4):
        inputs, labels = batch(step)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16, enabled=False):
            loss = nn.functional.cross_entropy(net(inputs), labels)
        scaling.scale(loss).backward()
        scaling.step(optimizer)
        scaling.update()


def switch_for_a_scale() -> None:
    net, scaling = model(), torch.amp.GradScaler("cpu", True)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(3):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        scaling.step(optimizer)
        scaling.update()


def private_check() -> None:
    net, scaling = model(), scaler(init_scale=256.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(3):
        optimizer.zero_grad()
        scaling.scale(half_loss(net, step)).backward()
        scaling.unscale_(optimizer)
        if not scaling._found_inf_per_device(optimizer):
            scaling.step(optimizer)
        scaling.update()


def penalised(divide: bool) -> None:
    net, scaling = model(), scaler(init_scale=256.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(3):
        inputs, _ = batch(step)
        inputs.requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            score = net(inputs).float().sum()
        (slope,) = torch.autograd.grad(scaling.scale(score), inputs, create_graph=True)
        if divide:
            slope = slope / scaling.get_scale()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = score + (slope.norm(dim=1) - 1).square().mean()
        optimizer.zero_grad()
        scaling.scale(loss).backward()
        scaling.step(optimizer)
        scaling.update()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (scale_each_step, "AMP202"),
        (scaler_alone, "AMP210"),
        (half_weights, "AMP301"),
        (half_average, "AMP309"),
        (region_off, "AMP602"),
        (switch_for_a_scale, "AMP605"),
        (private_check, "AMP206"),
        (lambda: penalised(False), "AMP118"),
    ],
)
def test_what_is_missing_or_does_nothing_is_told_once(body: Callable[[], None], code: str) -> None:
    assert told(watched(body)) == [code]


def test_a_penalty_on_unscaled_gradients_is_left_alone() -> None:
    assert told(watched(penalised, True)) == []


def test_a_resume_without_the_scalers_state_is_told(tmp_path: Path) -> None:
    def steps(keep: bool) -> None:
        net = model()
        optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=256.0)
        for step in range(3):
            optimizer.zero_grad()
            scaling.scale(half_loss(net, step)).backward()
            scaling.step(optimizer)
            scaling.update()
        states = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**states, **({"scaler": scaling.state_dict()} if keep else {})}, tmp_path / "state.pt")

    assert told(watched(steps, False)) == ["AMP203"]
    assert told(watched(steps, True)) == []


def test_an_exception_of_mixed_precision_is_named_and_goes_on() -> None:
    def steps() -> None:
        net, scaling = model(), scaler()
        optimizer = torch.optim.LBFGS(net.parameters())
        scaling.scale(half_loss(net)).backward()
        scaling.step(optimizer, closure=lambda: half_loss(net))

    watch = Watch(tell=lambda _: None)
    with pytest.raises(RuntimeError, match="Closure use"), watch:
        steps()
    assert [alarm.code for alarm in watch.alarms] == ["AMP119"]


def test_results_are_the_same_bit_by_bit() -> None:
    plain = train(model(), 80)
    with Watch(tell=lambda _: None):
        seen = train(model(), 80)
    assert all(torch.equal(one, other) for one, other in zip(plain, seen, strict=True))


def test_the_record_holds_each_step(tmp_path: Path) -> None:
    def clipped() -> None:
        net = model()
        optimizer, scaling = torch.optim.AdamW(net.parameters(), lr=1e-2), scaler(init_scale=1024.0)
        for step in range(6):
            optimizer.zero_grad()
            scaling.scale(half_loss(net, step)).backward()
            clip_grad_norm_(net.parameters(), 0.1)
            scaling.step(optimizer)
            scaling.update()

    watch = watched(clipped, out=tmp_path)
    records = list(log.read(tmp_path / "watch-0.jsonl"))
    assert [record["kind"] for record in records[:1] + records[-1:]] == ["begin", "end"]
    steps = [record for record in records if record["kind"] == "step"]
    assert [step["attempt"] for step in steps] == list(range(6))
    assert {step["clipped_scaled"] for step in steps} == {True}
    assert all(step["lr"] == 0.01 and step["scale"] == 1024.0 and step["applied"] for step in steps)
    assert all(step["norm_before_clip"] > 100 * step["grad_norm"] for step in steps)
    assert [record["code"] for record in records if record["kind"] == "alarm"] == ["AMP101"]
    assert records[-1]["alarms"] == [alarm.as_json() for alarm in watch.alarms]


def test_calling_the_package_watches() -> None:
    told: list[Alarm] = []
    with ampfix.watch(tell=told.append) as watch:
        scaler_alone()
    assert isinstance(watch, Watch)
    assert [alarm.code for alarm in told] == ["AMP210"]


def test_the_record_outlives_a_kill(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, torch
        from ampfix.watch import Watch
        from tests.watch.toy import half_loss, model, scaler
        torch.set_num_threads(1)
        with Watch(out={str(tmp_path)!r}):
            net = model()
            optimizer, scaling = torch.optim.SGD(net.parameters(), lr=0.01), scaler(init_scale=256.0)
            for step in range(9):
                optimizer.zero_grad()
                scaling.scale(half_loss(net, step)).backward()
                scaling.step(optimizer)
                scaling.update()
                if step == 4:
                    os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL
    records = list(log.read(tmp_path / "watch-0.jsonl"))
    assert [record["attempt"] for record in records if record["kind"] == "step"] == [0, 1, 2, 3, 4]


def test_a_line_cut_short_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "watch-0.jsonl"
    path.write_bytes(b'{"kind": "begin"}\n{"kind": "step", "loss": "nan"}\n{"kind": "st')
    assert [record["kind"] for record in log.read(path)] == ["begin", "step"]


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    writer = log.Log(tmp_path, 0)
    writer.write("parent", {"value": float("inf")})
    pid = os.fork()
    if pid == 0:
        writer.write("child", {})
        os._exit(0)
    os.waitpid(pid, 0)
    writer.write("parent", {})
    writer.close()
    texts = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert json.loads(texts["watch-0.jsonl"][0]) == {"kind": "parent", "value": "inf"}
    assert len(texts["watch-0.jsonl"]) == 2
    assert texts[f"watch-0-{pid}.jsonl"] == ['{"kind": "child"}']
