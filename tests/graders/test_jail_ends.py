"""Nothing of a run survives it: no process, mount, file or control group, whoever is killed and when."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graders.jail import Outcome

from .jailing import (
    AS_GROUP,
    AS_ROOT,
    EMPTY,
    EVERY_LINUX_LEVEL,
    Setting,
    eventually,
    jailed,
    name_process,
    orphans,
    processes_named,
    start_supervisor,
)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    assert eventually(lambda: not _traces()), _traces()


def _traces() -> set[str]:
    mounts = {line for line in Path("/proc/self/mounts").read_text().splitlines() if ".host" in line}
    return mounts | {str(path) for path in orphans()} | {f"process {pid}" for pid in _jailed_pids()}


def _jailed_pids() -> list[int]:
    return [pid for name in ("main", "daemon", "busy") for pid in processes_named(name)]


def _daemonise(name: str) -> None:
    """The classic double fork into a session of its own, with every signal ignored and every descriptor closed."""
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        name_process(name)
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, 64)
        time.sleep(600)


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_a_daemon_ends_with_the_run_it_came_from(setting: Setting) -> None:
    def target(fd: int) -> None:
        _daemonise("daemon")
        time.sleep(0.3)

    assert jailed(target, setting).report.exit_code == 0
    assert not processes_named("daemon")


@pytest.mark.parametrize("setting", (*EVERY_LINUX_LEVEL, AS_GROUP), ids=str)
def test_os_exit_leaves_no_child_behind(setting: Setting) -> None:
    def target(fd: int) -> None:
        if os.fork() == 0:
            name_process("main")
            time.sleep(600)
        time.sleep(0.2)
        os._exit(0)

    report = jailed(target, setting).report
    assert (report.outcome, report.exit_code) == (Outcome.EXITED, 0)
    # A killed process group may take a moment to die; namespaces and trees are waited for.
    assert eventually(lambda: not processes_named("main")) if setting is AS_GROUP else not processes_named("main")


def _busy(fd: int) -> None:
    """A main process, a child and a daemon, all of which ask not to die with their parents."""
    import ctypes

    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG off
    _daemonise("daemon")
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    name_process("busy")
    time.sleep(600)


NAMESPACES_OUTLIVE_NOBODY = [setting for setting in EVERY_LINUX_LEVEL if setting.features is None]


@pytest.mark.parametrize("setting", NAMESPACES_OUTLIVE_NOBODY, ids=str)
def test_everything_goes_when_the_supervisor_is_killed(setting: Setting) -> None:
    read, write = os.pipe()
    supervisor = start_supervisor(_busy, setting, EMPTY, write)
    assert eventually(lambda: len(processes_named("busy")) == 2 and bool(processes_named("daemon")))
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    assert eventually(lambda: not _jailed_pids())
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("setting", NAMESPACES_OUTLIVE_NOBODY, ids=str)
def test_everything_goes_when_the_server_is_killed(setting: Setting) -> None:
    server = os.fork()
    if server == 0:
        os.waitpid(start_supervisor(_busy, setting, EMPTY, os.open(os.devnull, os.O_WRONLY)), 0)
        os._exit(0)
    assert eventually(lambda: len(processes_named("busy")) == 2 and bool(processes_named("daemon")))
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)
    assert eventually(lambda: not _jailed_pids())


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_a_supervisor_killed_while_it_sets_up_leaves_nothing(setting: Setting) -> None:
    for delay_s in (0.0, 0.01, 0.02, 0.04, 0.08):
        read, write = os.pipe()
        supervisor = start_supervisor(lambda fd: time.sleep(600), setting, EMPTY, write)
        time.sleep(delay_s)
        os.kill(supervisor, signal.SIGKILL)
        os.waitpid(supervisor, 0)
        os.close(read)
        os.close(write)


def test_many_runs_leave_as_many_descriptors_and_mounts_as_before() -> None:
    before = (len(os.listdir("/proc/self/fd")), len(Path("/proc/self/mounts").read_text().splitlines()))
    for _ in range(5):
        jailed(lambda fd: os.write(fd, b"x"), AS_ROOT)
    assert (len(os.listdir("/proc/self/fd")), len(Path("/proc/self/mounts").read_text().splitlines())) == before
