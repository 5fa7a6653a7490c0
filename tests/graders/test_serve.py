"""The warm server's own parts: what it does while nothing is asked of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ampfix.lab.server import Server
from graders import huge_pages

ROOT = Path(__file__).parent.parent.parent
_GROW = """
import os, sys
from graders import huge_pages

kept = [bytes([number % 251]) * 1000 for number in range(40_000)]

def huge():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("AnonHugePages"))

before = huge()
steps = sum(1 for _ in huge_pages.collapse())
assert all(blob == bytes([number % 251]) * 1000 for number, blob in enumerate(kept))
child = os.fork()
if child == 0:
    kept[7] = b"changed in the fork alone"
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0 and kept[7] == bytes([7]) * 1000
print(steps, before, huge())
"""


def _with_memory() -> tuple[int, int, int]:
    done = subprocess.run([sys.executable, "-c", _GROW], cwd=ROOT, capture_output=True, text=True, check=True)
    steps, before, after = map(int, done.stdout.split())
    return steps, before, after


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's account of memory")
def test_memory_moves_into_huge_pages_with_its_content() -> None:
    steps, before, after = _with_memory()
    assert steps >= 16  # 40 MB
    if after == before:
        pytest.skip("this kernel makes no huge pages on demand (Linux 6.1 does)")
    assert after - before >= 16 * 2048


def test_only_private_memory_without_a_file_is_moved() -> None:
    maps = (
        "00400000-00a00000 r--p 00000000 08:01 131 /usr/bin/python3\n"
        "00a00000-01000000 rw-p 00600000 08:01 131 /usr/bin/python3\n"
        "01100000-01a00000 rw-p 00000000 00:00 0 [heap]\n"
        "7f0000000000-7f0000400000 rw-s 00000000 00:00 0 /dev/zero (deleted)\n"
        "7f0000400000-7f0000700000 rw-p 00000000 00:00 0\n"
        "7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0 [stack]\n"
    )
    assert list(huge_pages._whole_pages(maps)) == [
        0x1200000, 0x1400000, 0x1600000, 0x1800000, 0x7F0000400000,
    ]  # fmt: skip


# ---- the child that is forked ahead ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warm() -> Iterator[Server]:
    with contextlib.closing(Server("judge")) as server:
        server.start()
        _soon(lambda: _children(server))
        yield server


def _children(server: Server) -> list[int]:
    process: Any = server._process
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def _soon(happens: Callable[[], object]) -> Any:
    for _ in range(1200):
        if found := happens():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def _gone(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
class TestForkedAhead:
    def test_a_child_waits_and_the_next_job_is_its(self, warm: Server) -> None:
        (waiting,) = _soon(lambda: _children(warm))
        warm.call("describe_gpu", {}, 60)
        (next_one,) = _soon(lambda: [pid for pid in _children(warm) if pid != waiting])
        assert _gone(waiting) and next_one != waiting

    def test_a_job_is_done_though_the_waiting_child_was_killed(self, warm: Server) -> None:
        (waiting,) = _soon(lambda: _children(warm))
        os.kill(waiting, signal.SIGKILL)
        _soon(lambda: _gone(waiting))
        assert "problem" in warm.call("describe_gpu", {}, 60)
        _soon(lambda: waiting not in _children(warm))

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_it_ends_with_the_server(self, how: signal.Signals) -> None:
        with contextlib.closing(Server("judge")) as server:
            server.start()
            (waiting,) = _soon(lambda: _children(server))
            process: Any = server._process
            process.send_signal(how)
            process.wait(30)
            _soon(lambda: _gone(waiting))
