"""Loops executed for real: how each way to end, and each kind of weights, is told apart."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampfix.lab.bench import Bench, write_files
from ampfix.lab.causes import InfraError, Status
from ampfix.lab.grade import grade
from ampfix.lab.measurement import Measurement
from ampfix.lab.measurement import measure as judge
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import LimitsSpec, ScenarioSpec
from ampfix.lab.submission import from_text

SEED = 11
START = "import torch\nimport torch.nn.functional as F\n\n\ndef train(task):\n"
BODY = (
    '    model = task.modules["model"].cuda()\n'
    "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
    '    scaler = torch.amp.GradScaler("cuda")\n'
    "    for features, targets in task.batches:\n"
    "        optimizer.zero_grad()\n"
    '        with torch.autocast("cuda", dtype=torch.float16):\n'
    "            loss = F.mse_loss(model(features.cuda()), targets.cuda())\n"
    "        scaler.scale(loss).backward()\n"
    "        scaler.step(optimizer)\n"
    "        scaler.update()\n"
)
LOOP = START + BODY


@pytest.fixture(scope="module")
def bench(runner: ProcessRunner) -> Iterator[Bench]:
    with Bench(runner) as one:
        yield one


def measure(bench: Bench, spec: ScenarioSpec, loop: str, **changes: object) -> Measurement:
    spec = spec.model_copy(update=changes)
    return bench.run(spec, {spec.entry: loop}, SEED).result()


def run_files(bench: Bench, toy: ScenarioSpec, files: dict[str, str], **changes: object) -> Measurement:
    """Run a loop of another style on the toy's inputs, beside the toy's own reference."""
    spec = toy.model_copy(update=changes)
    ground = bench.ground(toy, SEED).result()
    folder = bench._fresh()
    write_files(folder, files)
    execution = bench.runner.execute(spec, folder, ground.inputs, bench._fresh())
    return judge(bench.runner, spec, ground.inputs, execution, ground.run)


def test_a_right_loop_is_measured_whole(bench: Bench, toy: ScenarioSpec) -> None:
    run = measure(bench, toy, LOOP)
    assert (run.ended, run.weights, run.events) == (None, None, None)
    assert run.loss is not None and run.trajectory is not None and run.fp32_distance is not None
    assert (run.attempts, run.skipped, run.half_share) == (toy.steps, 0, 1.0)
    assert run.travelled == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("loop", "cause", "says"),
    [
        (LOOP + "    raise TypeError('no\\nsuch\\x1b[1m thing')\n", "crashed", "TypeError: no such[1m thing (loop.py:"),
        (LOOP + "    raise SystemExit(0)\n", "crashed", "SystemExit"),
        (LOOP + "    import os; os._exit(0)\n", "ended_early", "code 0"),
        (LOOP + "    import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n", "killed", "signal 9"),
        (LOOP + "    task.modules.clear()\n", None, ""),
        ("raise ImportError('at import')\n", "crashed", "ImportError: at import"),
        ("x = 1\n", "crashed", "AttributeError"),
        (START + "    return\n", "fewer_steps", "0 of 40"),
        (LOOP + "    import sys; sys.stdout.write('x' * (600 << 20))\n", "output_overflow", ""),
        (LOOP + "    torch.zeros(1 << 34)\n", "memory", ""),
    ],
)  # fmt: skip
def test_how_a_loop_ended_is_told_apart(
    bench: Bench, toy: ScenarioSpec, loop: str, cause: str | None, says: str
) -> None:
    run = measure(bench, toy, loop)
    if cause is None:
        assert run.weights is not None and run.weights.cause == "malformed_weights"
        return
    assert run.ended is not None
    assert run.ended.cause == cause and says in run.ended.detail, run.ended
    assert (run.loss, run.weights) == (None, None)


def test_a_failing_verdict_shows_what_the_loop_printed(runner: ProcessRunner, toy: ScenarioSpec) -> None:
    loop = LOOP.replace("optimizer.zero_grad()", "optimizer.zero_grad(); print('step', flush=True); helper()")
    loop += "\n\ndef helper():\n    raise KeyError('momentum')\n"
    verdict = grade(from_text(loop), toy.model_copy(update={"seeds": (0,)}), runner=runner)
    first, second, *frames = verdict.output_tail.splitlines()
    assert (verdict.status, first) == (Status.FAIL, "step")
    assert second == "Traceback (most recent call last):" and frames[-1] == "KeyError: 'momentum'"
    assert '  File "/answer/loop.py", line' in frames[0] and "helper()" in frames[1]
    assert grade(from_text(LOOP), toy.model_copy(update={"seeds": (0,)}), runner=runner).output_tail == ""


def test_a_loop_that_hangs_is_ended_by_the_clock(bench: Bench, toy: ScenarioSpec) -> None:
    run = measure(bench, toy, LOOP + "    while True: pass\n", limits=LimitsSpec(wall_s=2.0))
    assert run.ended is not None and run.ended.cause == "timeout"


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        ("model.half()", "half_weights"),
        ("model.bfloat16()", "half_weights"),
        ("model[0].weight.data.fill_(float('nan'))", "not_finite"),
        ("model.double()", "malformed_weights"),
        ("task.modules['model'] = torch.nn.Linear(2, 2)", "malformed_weights"),
        ("task.modules['model'] = None", "malformed_weights"),
        ("task.modules['model'] = torch.nn.ModuleDict({'module': model})", None),
        ("task.modules['model'] = torch.compile(model, backend='eager')", None),
        ("task.modules['mine'] = torch.nn.Linear(2, 2)", None),
    ],
)
def test_what_is_wrong_with_the_weights(bench: Bench, toy: ScenarioSpec, after: str, cause: str | None) -> None:
    run = measure(bench, toy, f"{LOOP}    {after}\n")
    assert run.ended is None
    assert (run.weights.cause if run.weights else None) == cause, run.weights
    assert (run.loss is None) == (cause is not None)


FORGED = """
import os, struct
for descriptor in map(int, os.listdir('/proc/self/fd')):
    try:
        os.write(descriptor, {frame})
    except OSError:
        pass
os._exit(0)
"""


@pytest.mark.parametrize(
    ("frame", "causes"),
    [
        ("b'garbage that is no frame' * 9", {"malformed_output"}),
        ("struct.pack('>BQ', 3, 1 << 62)", {"malformed_output"}),
        ("struct.pack('>BQ', 3, 3) + b'abc' + struct.pack('>BQ', 4, 2) + b'{}'", {"malformed_output"}),
        ("struct.pack('>BQ', 4, 20) + b'{\"completed\": true }'", {"malformed_output"}),
        ("struct.pack('>BQ', 4, 200000) + b'[' * 200000", {"malformed_output"}),
    ],
)
def test_a_forged_stream_is_never_a_run_that_ended(
    bench: Bench, toy: ScenarioSpec, frame: str, causes: set[str]
) -> None:
    forged = FORGED.format(frame=frame).replace("\n", "\n    ")
    run = measure(bench, toy, START + "    task.modules.clear()" + forged)
    assert run.ended is not None and run.ended.cause in causes, run.ended


def test_forged_events_break_the_protocol_check_alone(bench: Bench, toy: ScenarioSpec) -> None:
    forged = (
        FORGED.format(frame="struct.pack('>BQ', 1, 4) + b'[]\\n\\n'").replace("os._exit(0)", "").replace("\n", "\n    ")
    )
    run = measure(bench, toy, LOOP + forged)
    assert run.events is not None and run.events.cause == "malformed_events"
    assert run.loss is not None


def test_a_script_reads_its_task_by_import(bench: Bench, toy: ScenarioSpec) -> None:
    body = "\n".join(line[4:] for line in BODY.splitlines())
    script = (
        f"import torch\nimport torch.nn.functional as F\nfrom ampfix_task import task\n\n{body}\nraise SystemExit(0)\n"
    )
    run = run_files(bench, toy, {"loop.py": script}, style="script")
    assert run.ended is None and run.loss is not None


def test_a_package_imports_its_own_modules(bench: Bench, toy: ScenarioSpec) -> None:
    files = {
        "trainer/__init__.py": "",
        "trainer/steps.py": LOOP,
        "trainer/loop.py": "from .steps import train as steps\n\n\ndef train(task):\n    steps(task)\n",
    }
    run = run_files(bench, toy, files, style="package", entry="trainer/loop.py")
    assert run.ended is None and run.loss is not None


def test_what_cannot_be_emulated_is_our_fault_not_the_answers(runner: ProcessRunner, toy: ScenarioSpec) -> None:
    loop = START + "    torch.cuda.CUDAGraph()\n"
    verdict = grade(from_text(loop), toy.model_copy(update={"seeds": (0,)}), runner=runner)
    assert (verdict.status, verdict.reason) == (Status.INFRA_ERROR, "unsupported_cuda_api")
    assert verdict.trust is None


def test_a_task_that_raises_is_our_fault(tmp_path: Path, runner: ProcessRunner, toy: ScenarioSpec) -> None:
    for path in toy.root.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "task.py").write_text("def build(seed):\n    raise KeyError('weights')\n")
    verdict = grade(from_text(LOOP), toy.model_copy(update={"root": tmp_path, "seeds": (0,)}), runner=runner)
    assert (verdict.status, verdict.reason) == (Status.INFRA_ERROR, "job_failed")
    assert "KeyError" in verdict.detail


def test_a_killed_server_is_replaced_and_its_runs_are_repeated(toy: ScenarioSpec) -> None:
    with ProcessRunner() as own, Bench(own) as bench:
        ground = bench.ground(toy, SEED)
        ground.result()
        servers = [own._submissions, own._judge]
        pids = [server._process.pid for server in servers if server._process is not None]
        waiting = bench.run(toy, {toy.entry: LOOP + "    import time; time.sleep(1)\n"}, SEED)
        killer = threading.Timer(0.7, lambda: [os.kill(pid, signal.SIGKILL) for pid in pids])
        killer.start()
        run = waiting.result()
        killer.join()
    assert run.ended is None and run.loss is not None
    assert len(pids) == 2


def test_a_server_that_keeps_dying_is_an_infra_error(toy: ScenarioSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProcessRunner() as own, Bench(own) as bench:
        bench.ground(toy, SEED).result()
        monkeypatch.setattr("ampfix.lab.server._BOOT", "raise SystemExit(7)")
        own._submissions.kill()
        with pytest.raises(InfraError) as caught:
            bench.run(toy, {toy.entry: LOOP}, SEED).result()
    assert caught.value.cause.code == "server_died"


def test_closing_the_runner_ends_what_is_running(toy: ScenarioSpec) -> None:
    own = ProcessRunner()
    with pytest.raises(RuntimeError, match="enough"), Bench(own) as bench:
        bench.ground(toy, SEED).result()
        waiting = bench.run(toy, {toy.entry: LOOP + "    while True: pass\n"}, SEED)
        while not waiting.running():
            time.sleep(0.01)
        raise RuntimeError("enough")
    ended = waiting.exception()
    assert isinstance(ended, InfraError) and ended.cause.code == "closed"
    with pytest.raises(InfraError, match="was closed"):
        own.isolation()
