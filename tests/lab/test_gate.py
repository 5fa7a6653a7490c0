"""Timed runs: the clock starts when the withheld batches appear, and no earlier work on them is possible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ampfix.lab import stopwatch
from ampfix.lab.bench import write_files
from ampfix.lab.causes import InfraError
from ampfix.lab.process import ProcessRunner
from ampfix.lab.runner import Execution, Inputs
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.timing import Timing
from graders.exchange import Collector, Kind, Sender
from graders.gate import REST, Stopwatch
from tests.project.modules import ROOT

WARM_UP = 10


def opened(tmp_path: Path, times: list[float]) -> Stopwatch:
    withheld, folder = tmp_path / "withheld", tmp_path / "gate"
    withheld.write_bytes(b"batches")
    folder.mkdir()
    return Stopwatch(withheld, folder, iter(times).__next__)


def test_the_batches_appear_when_the_clock_starts_and_the_weights_stop_it(tmp_path: Path) -> None:
    watch = opened(tmp_path, [10.0, 12.5])
    watch.on_frame(Kind.SNAPSHOT)
    assert not (tmp_path / "gate" / REST).exists() and watch.timed_s is None
    watch.on_frame(Kind.READY)
    assert (tmp_path / "gate" / REST).read_bytes() == b"batches"
    watch.on_frame(Kind.WEIGHTS)
    watch.on_frame(Kind.SUMMARY)
    assert watch.timed_s == 2.5


def test_a_run_that_never_asked_for_the_batches_has_no_time(tmp_path: Path) -> None:
    watch = opened(tmp_path, [1.0])
    watch.on_frame(Kind.WEIGHTS)
    assert watch.timed_s is None


def test_batches_that_were_there_from_the_start_start_no_clock(tmp_path: Path) -> None:
    watch = opened(tmp_path, [5.0, 6.0])
    watch.release_early()
    watch.on_frame(Kind.READY)
    watch.on_frame(Kind.WEIGHTS)
    assert watch.timed_s == 1.0


def test_frames_are_told_as_they_begin_and_ready_leaves_no_file(tmp_path: Path) -> None:
    seen: list[Kind] = []
    collector = Collector(tmp_path, 1 << 20, seen.append)
    read, write = os.pipe()
    sender = Sender(write)
    sender.send(Kind.READY, b"")
    sender.send(Kind.WEIGHTS, b"w" * 10)
    sender.send(Kind.SUMMARY, b"{}")
    os.close(write)
    while data := os.read(read, 7):
        collector(data)
    os.close(read)
    assert collector.close() and seen == [Kind.READY, Kind.WEIGHTS, Kind.SUMMARY]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["summary.json", "weights.safetensors"]


@pytest.fixture(scope="module")
def inputs(runner: ProcessRunner, toy: ScenarioSpec, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return runner.prepare_timed(toy, 3, tmp_path_factory.mktemp("timed") / "inputs", WARM_UP)


@pytest.fixture
def time_loop(runner: ProcessRunner, toy: ScenarioSpec, inputs: Inputs, tmp_path: Path) -> Any:
    def run(text: str) -> Execution:
        tmp_path.chmod(0o755)
        write_files(tmp_path / "answer", {toy.entry: text})
        return runner.time_steps(toy, tmp_path / "answer", inputs, tmp_path / "out", "as_written")

    return run


def test_a_timed_run_trains_on_everything_and_takes_less_than_the_whole_run(
    time_loop: Any, runner: ProcessRunner, toy: ScenarioSpec, inputs: Inputs
) -> None:
    done = time_loop(toy.gold_files()[toy.entry])
    assert done.outcome == "exited" and done.timed_s is not None
    assert 0 < done.timed_s < done.wall_s
    found = runner.judge(inputs, done.folder, None)
    assert found["problem"] == "" and found["loss"] < 1.0, "as good as the run that nobody timed"
    assert not (done.folder.parent / "out-gate").exists()


PEEK = """
import os, time
def train(task):
    assert os.listdir("/gate") == [], "withheld until asked for"
    served = iter(task.batches)
    for _ in range({warm_up}):
        next(served)
    time.sleep(0.3)
    assert os.listdir("/gate") == []
    started = time.monotonic()
    next(served)
    assert os.listdir("/gate") == ["rest.safetensors"]
    try:
        open("/gate/rest.safetensors", "ab")
    except OSError:
        pass
    else:
        raise AssertionError("the gate can be written to")
    time.sleep({after})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")
def test_the_batches_are_out_of_reach_until_the_clock_runs(time_loop: Any, runner: ProcessRunner) -> None:
    if runner.isolation().level != "namespaces":
        pytest.skip("copies of files are shown on this isolation level")
    done = time_loop(PEEK.format(warm_up=WARM_UP, after=0.4))
    assert done.outcome == "exited" and done.exit_code == 0, done.output
    assert done.timed_s is not None and done.timed_s >= 0.4, "what comes behind the request is timed"
    assert done.timed_s < done.wall_s - 0.25, "what comes before it is not"


def test_saying_ready_early_only_lengthens_the_time(time_loop: Any, toy: ScenarioSpec) -> None:
    forged = "import graders.gate\ndef train(task):\n    task.batches._ready()\n    import time; time.sleep(0.5)\n"
    done = time_loop(forged)
    assert done.timed_s is not None and done.timed_s >= 0.5


def test_a_task_that_ends_with_the_warm_up_cannot_be_timed(
    runner: ProcessRunner, toy: ScenarioSpec, tmp_path: Path
) -> None:
    with pytest.raises(InfraError, match="nothing behind the 4000 steps"):
        runner.prepare_timed(toy, 3, tmp_path / "inputs", 4000)


class FakeRunner(ProcessRunner):
    """A runner whose clock is written down: seconds by precision."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.order = seconds, list[str]()

    def prepare_timed(self, spec: ScenarioSpec, seed: int, folder: Path, warm_up: int) -> Inputs:
        return Inputs(seed, folder, folder)

    def time_steps(self, spec: Any, files: Path, inputs: Inputs, folder: Path, precision: Any) -> Execution:
        self.order.append(precision)
        seconds = self.seconds[precision]
        ended = "exited" if seconds else "timeout"
        return Execution(ended, 0, "too late", True, 1.0, None, folder, timed_s=seconds)  # type: ignore[arg-type]

    def judge(self, inputs: Inputs, run: Path, reference: Path | None) -> dict[str, Any]:
        return {"problem": "", "loss": 1.0}


def test_arms_alternate_and_seconds_are_a_steps(toy: ScenarioSpec) -> None:
    runner = FakeRunner({"fp32": 60.0, "tf32": 45.0, "as_written": 30.0})
    found = stopwatch.time_loops(runner, toy, 1, {"gold": toy.gold_files()}, warm_up=10, rounds=2)
    assert runner.order == ["fp32", "tf32", "as_written", "as_written", "tf32", "fp32"] * 2
    assert found == {"gold": Timing(answer=(1.0,) * 4, fp32=(2.0,) * 4, tf32=(1.5,) * 4, loss_ratio=1.0)}
    assert found["gold"].over_fp32.ratio == 2.0


def test_one_loop_that_cannot_be_timed_leaves_the_other_its_time(toy: ScenarioSpec) -> None:
    runner = FakeRunner({"fp32": 60.0, "tf32": 45.0, "as_written": 0.0})
    found = stopwatch.time_loops(runner, toy, 1, {"gold": toy.gold_files()}, warm_up=10, rounds=2)
    assert found["gold"].problem == "the loop was not timed to its end: too late"


PROBE = """
import sys, torch
def asked(*_, **__):
    raise AssertionError("CUDA was asked before the fork")
torch.backends.cuda.is_built = lambda: True
for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "get_device_properties",
             "is_current_stream_capturing", "get_device_capability"):
    setattr(torch.cuda, name, asked)
from graders import serve
jobs = serve._ROLES[sys.argv[1]]("cuda")
print(sorted(jobs))
"""


@pytest.mark.parametrize(("role", "job"), [("submission", "run"), ("judge", "describe_gpu")])
def test_a_server_that_will_fork_asks_nothing_of_cuda(role: str, job: str) -> None:
    """CUDA cannot be used in a fork of a process that has used it, and to ask for devices is to use it."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, role],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0 and job in done.stdout, done.stderr[-2000:]
