"""The container's first process, run here without one: it does jobs, and ends with its input or its server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ampfix import parcel
from graders.jail_tree import descendants
from tests.graders.jailing import eventually

from .engine import ROOT


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "graders.relay"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield process
        process.kill()


def ask(relay: subprocess.Popen[bytes], folder: Path, job: str, files: dict[str, Path], **arguments: Any) -> Any:
    assert relay.stdin is not None and relay.stdout is not None
    folders = sorted({name.partition("/")[0] for name in files})
    parcel.send(relay.stdin.write, {"job": job, "arguments": arguments, "folders": folders}, files)
    relay.stdin.flush()
    return parcel.receive(relay.stdout.read, folder, 1 << 20)


def test_jobs_are_done_one_after_the_other_until_the_server_ends(
    relay: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    for number in range(2):
        answer = ask(relay, tmp_path / f"out{number}", "probe", {})
        reply = json.loads(answer["reply"])
        assert answer["exit"] == 0 and reply["ok"], answer
        assert "features" in reply["result"] and reply["result"]["versions"]["torch"]
    failed = json.loads(ask(relay, tmp_path, "probe", {}, surplus=1)["reply"])
    assert not failed["ok"] and "surplus" in failed["error"]
    assert eventually(lambda: not list((tmp_path / "scratch").glob("tmp*")), 10.0)
    for pid in descendants(relay.pid):
        os.kill(pid, signal.SIGKILL)
    assert relay.wait(30) == 0


def test_the_end_of_input_ends_everything(relay: subprocess.Popen[bytes], tmp_path: Path) -> None:
    ask(relay, tmp_path, "probe", {})
    started = descendants(relay.pid)
    assert started
    assert relay.stdin is not None
    relay.stdin.close()
    assert relay.wait(30) == 0
    assert eventually(lambda: not any(Path("/proc", str(pid)).exists() for pid in started), 10.0)


def test_a_second_job_before_the_first_is_done_ends_the_relay(relay: subprocess.Popen[bytes]) -> None:
    assert relay.stdin is not None
    message = {"job": "probe", "arguments": {}, "folders": []}
    for _ in range(2):
        parcel.send(relay.stdin.write, message, {})
    relay.stdin.flush()
    assert relay.wait(60) == 0
