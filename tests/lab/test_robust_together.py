"""Gradings neither disturb each other nor add up: side by side, many in a row, and under a clock that jumps."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ampfix.lab.bench import Bench
from ampfix.lab.causes import Status
from ampfix.lab.grade import grade
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import from_text
from ampfix.lab.verdict import Verdict

from .conftest import SCENARIOS
from .killing import server_pid, submission_server, wait_for, waiting
from .test_execution import LOOP

ROOT = Path(__file__).parent.parent.parent
SECRET = "0123456789abcdef"

# One loop each: right, bfloat16, stopping early, raising, and leaving no weights.
LOOPS = (
    LOOP,
    LOOP.replace("float16", "bfloat16"),
    LOOP.replace("optimizer.zero_grad()", "optimizer.zero_grad(); break"),
    LOOP + "    raise ValueError('on purpose')\n",
    LOOP + "    task.modules.clear()\n",
    LOOP.replace("lr=0.1", "lr=0.05"),
    LOOP.replace("lr=0.1", "lr=1e-9"),
    LOOP + "    import pathlib; pathlib.Path('/tmp/left').write_text('x')\n",
)


def _told(verdict: Verdict) -> dict[str, Any]:
    """All of a verdict but the time it took."""
    return verdict.model_dump(exclude={"wall_s"})


def test_eight_gradings_at_once_are_those_of_one_after_the_other(runner: ProcessRunner, toy: ScenarioSpec) -> None:
    one_seed = toy.model_copy(update={"seeds": (0,)})

    def told(loop: str) -> dict[str, Any]:
        return _told(grade(from_text(loop), one_seed, runner=runner, secret=SECRET))

    alone = [told(loop) for loop in LOOPS]
    with ThreadPoolExecutor(len(LOOPS)) as pool:
        together = list(pool.map(told, LOOPS))
    assert together == alone
    assert {one["status"] for one in alone} == {Status.PASS, Status.FAIL}


def test_two_suites_at_once_say_the_same_and_share_no_folder(tmp_path: Path) -> None:
    options = ("--scenarios-dir", str(SCENARIOS), "--output-format", "json", "--secret", SECRET)
    command = [sys.executable, "-m", "ampfix", "suite", "toy", "--validate", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    suites = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reports = [json.loads(suite.communicate(timeout=300)[0]) for suite in suites]
    assert [suite.returncode for suite in suites] == [0, 0]
    assert _without_times(reports[0]) == _without_times(reports[1])
    assert list(tmp_path.iterdir()) == []


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name != "wall_s"}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def test_gradings_in_a_row_leave_no_descriptor_thread_process_or_file(
    runner: ProcessRunner, toy: ScenarioSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    one_seed = toy.model_copy(update={"seeds": (0,)})

    def held() -> tuple[object, ...]:
        servers = submission_server(runner), runner._judge
        wait_for(lambda: all(waiting(server) for server in servers))
        pids = os.getpid(), *map(server_pid, servers)
        descriptors = [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]
        return descriptors, threading.active_count(), len(runner._judge._waiting), list(tmp_path.iterdir())

    grade(from_text(LOOP), one_seed, runner=runner)
    before = held()
    for number in range(4):
        assert grade(from_text(f"{LOOP}# {number}\n"), one_seed, runner=runner).status is Status.PASS
    assert held() == before


@pytest.fixture
def jumping_clock(tmp_path: Path) -> Iterator[Path]:
    """A folder for PYTHONPATH that makes the calendar's clock jump by up to ten years at every reading."""
    (tmp_path / "sitecustomize.py").write_text(
        "import random, time\n"
        "true, chance = time.time, random.Random(0)\n"
        "time.time = lambda: true() + chance.uniform(-3e8, 3e8)\n"
        "time.time_ns = lambda: int(time.time() * 1e9)\n"
    )
    yield tmp_path


def test_a_clock_that_jumps_changes_nothing(jumping_clock: Path) -> None:
    options = ("--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    command = [sys.executable, "-m", "ampfix", "suite", "toy", *options]
    environment = os.environ | {"PYTHONPATH": f"{jumping_clock}:{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (scenario,) = json.loads(done.stdout)["scenarios"]
    times = [one["verdict"]["wall_s"] for one in scenario["runs"]]
    assert scenario["valid"] and all(0 < seconds < 120 for seconds in times), times


@pytest.mark.parametrize("folder", ["ampfix/lab", "graders"])
def test_no_module_reads_the_calendars_clock(folder: str) -> None:
    for path in sorted((ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                read = f"{node.value.id}.{node.attr}"
                assert read not in {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}, path


@pytest.mark.stress
def test_a_hundred_gradings_on_one_bench_keep_the_servers_memory_flat(toy: ScenarioSpec) -> None:
    one_seed = toy.model_copy(update={"seeds": (0,)})
    with ProcessRunner() as own, Bench(own):
        sizes = []
        for number in range(100):
            grade(from_text(f"{LOOP}# {number}\n"), one_seed, runner=own)
            if number % 10 == 9:
                sizes.append([_resident(server_pid(server)) for server in (submission_server(own), own._judge)])
    for first, last in zip(sizes[2], sizes[-1], strict=True):
        assert last - first < 8 << 20, sizes


def _resident(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
