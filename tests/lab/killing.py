"""Finds the processes of a runner by the part they play, so that tests can kill them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ampfix.lab.process import ProcessRunner
from ampfix.lab.server import Server
from graders.jail_tree import descendants
from tests.graders.jailing import FIRST_JAIL_UID, owner


def server_pid(server: Server) -> int:
    assert server._process is not None
    return server._process.pid


def jobs(server: Server) -> set[int]:
    """The forks of a server that each do a job, a run's supervisor among them, and what those started but the jail."""
    served = _pipes(server_pid(server))
    return {
        pid
        for pid in descendants(server_pid(server))
        if 0 <= owner(pid) < FIRST_JAIL_UID and not _pipes(pid) & served  # the fork that waits for a job shares one
    }


def waiting(server: Server) -> set[int]:
    """The fork that waits for the next job. There is none before the server has been idle for a moment."""
    served = _pipes(server_pid(server))
    return {pid for pid in descendants(server_pid(server)) if _pipes(pid) & served}


def _pipes(pid: int) -> set[str]:
    """The pipes that a process holds beside its standard streams."""
    try:
        held = [file.readlink() for file in Path(f"/proc/{pid}/fd").iterdir() if int(file.name) > 2]
    except FileNotFoundError:
        return set()
    return {str(target) for target in held if str(target).startswith("pipe:")}


def submission_server(runner: ProcessRunner) -> Server:
    assert isinstance(runner._submissions, Server)
    return runner._submissions


def jailed(runner: ProcessRunner) -> list[int]:
    """Init and the submission of every run, each init before what it forked."""
    return sorted(pid for pid in descendants(server_pid(submission_server(runner))) if owner(pid) >= FIRST_JAIL_UID)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
