"""Limits hold against targets that try to use up the machine, and the report names the limit that was hit."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graders.jail import Feature, Outcome
from graders.jail_run import own_memory
from graders.jail_watch import LOG_TAIL_BYTES

from .jailing import AS_ROOT, EVERY_LINUX_LEVEL, MEGABYTE, NAMESPACED, Setting, jailed, name_process, processes_named

# ---- time ----------------------------------------------------------------------------------------------------


def _spin() -> None:
    while True:
        pass


def _spin_in_c() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")  # never returns to the interpreter


def _ignore_every_signal() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    time.sleep(600)


def _stop_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _wait_for_a_child_that_hangs() -> None:
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    os.wait()


HANGS = (_spin, _spin_in_c, _ignore_every_signal, _stop_itself, _wait_for_a_child_that_hangs)


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
@pytest.mark.parametrize("hang", HANGS, ids=lambda hang: hang.__name__.strip("_"))
def test_a_hang_is_ended_at_the_deadline(hang: Callable[[], None], setting: Setting) -> None:
    def target(fd: int) -> None:
        name_process("hang")
        os.write(fd, b"begun")
        hang()

    ran = jailed(target, setting, wall_s=0.2)
    assert ran.report.outcome is Outcome.TIMEOUT and "0.2 s" in ran.report.detail
    assert ran.received == b"begun"
    assert not processes_named("hang")


# ---- processes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_a_fork_bomb_stays_within_the_limit_and_is_cleared(setting: Setting) -> None:
    def target(fd: int) -> None:
        name_process("bomb")
        while True:
            try:
                child = os.fork()
            except OSError as refused:
                os.write(fd, b"%d\n" % refused.errno)
                time.sleep(0.02)
            else:
                os.write(fd, b"+\n" if child else b"")

    ran = jailed(target, setting, wall_s=0.7, processes=12)
    assert ran.report.outcome is Outcome.TIMEOUT
    lines = ran.received.decode().split()
    assert 1 <= lines.count("+") <= 12 and str(errno.EAGAIN) in lines
    assert not processes_named("bomb")


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_the_process_limit_counts_threads_and_is_exact(setting: Setting) -> None:
    def target(fd: int) -> None:
        event = threading.Event()
        with contextlib.suppress(RuntimeError):
            while True:
                threading.Thread(target=event.wait, daemon=True).start()
                os.write(fd, b"+")

    assert len(jailed(target, setting, processes=9).received) == 8


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_two_jails_do_not_count_each_others_processes(setting: Setting) -> None:
    def fork_four(fd: int) -> None:
        for _ in range(4):
            if os.fork() == 0:
                time.sleep(600)
        os.write(fd, b"four")

    first = os.fork()
    if first == 0:
        jailed(lambda fd: (fork_four(fd), time.sleep(1.0)), setting, processes=6)
        os._exit(0)
    assert jailed(fork_four, setting, processes=6).received == b"four"
    os.waitpid(first, 0)


# ---- memory --------------------------------------------------------------------------------------------------


def _one_list(fd: int) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(4 * MEGABYTE))
        os.write(fd, b"+")


def _shared_pages(fd: int) -> None:
    hoard = []
    while True:
        pages = mmap.mmap(-1, 4 * MEGABYTE)
        for offset in range(0, len(pages), mmap.PAGESIZE):
            pages[offset] = 1
        hoard.append(pages)
        os.write(fd, b"+")


def _slack(setting: Setting) -> int:
    """What comes on top: pages that are warm, or address space that is (malloc's arenas) and that of stacks."""
    return own_memory("RssAnon") + 4 * MEGABYTE if setting is AS_ROOT else own_memory("VmSize") + 24 * 8 * MEGABYTE


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
@pytest.mark.parametrize("fill", [_one_list, _shared_pages], ids=lambda fill: fill.__name__.strip("_"))
def test_filling_the_memory_is_ended_and_named(fill: Callable[[int], None], setting: Setting) -> None:
    ran = jailed(fill, setting, memory_bytes=64 * MEGABYTE)
    assert len(ran.received) * 4 * MEGABYTE <= 64 * MEGABYTE + _slack(setting)
    if fill is _one_list or Feature.CGROUP_MEMORY in ran.report.level:
        assert ran.report.outcome is Outcome.MEMORY, ran.report
    else:  # mmap fails with OSError, which is as good as any exception
        assert ran.report.exit_code == 1 and "Cannot allocate memory" in ran.report.output


def test_memory_is_limited_in_total_where_control_groups_are_writable() -> None:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
    children = 8 + 2 * resident // (24 * MEGABYTE)  # what was warm before the fork comes on top of the limit

    def target(fd: int) -> None:
        for _ in range(children):
            if os.fork() == 0:
                hoard = bytearray(b"x") * (24 * MEGABYTE)
                os.write(fd, b"+")
                time.sleep(600)
                del hoard
        os.wait()  # until the kernel has killed one
        os._exit(3)

    if Feature.CGROUP_MEMORY not in jailed(lambda fd: None).report.level:
        pytest.skip("no writable memory control group")
    ran = jailed(target, memory_bytes=64 * MEGABYTE, processes=children + 8, wall_s=30.0)
    assert ran.report.outcome is Outcome.MEMORY


def test_what_was_warm_before_the_fork_is_not_counted() -> None:
    warm = [bytearray(b"x") * (32 * MEGABYTE) for _ in range(4)]

    def target(fd: int) -> None:
        for block in warm:
            for offset in range(0, len(block), mmap.PAGESIZE):
                block[offset] = 7
        os.write(fd, b"touched")

    assert jailed(target, memory_bytes=32 * MEGABYTE).received == b"touched"


# ---- disk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_the_scratch_places_share_one_quota(setting: Setting) -> None:
    def target(fd: int) -> None:
        for place in (".", "/tmp", "/dev/shm"):
            for number in range(100):
                try:
                    Path(place, f"fill{number}").write_bytes(b"x" * MEGABYTE)
                except OSError as full:
                    os.write(fd, b"%d\n" % full.errno)
                    break
                os.write(fd, b"+\n")

    lines = jailed(target, setting, tmp_bytes=8 * MEGABYTE).received.decode().split()
    assert lines.count("+") <= 8 and lines.count(str(errno.ENOSPC)) == 3


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_the_number_of_files_is_limited(setting: Setting) -> None:
    def target(fd: int) -> None:
        try:
            for number in range(100_000):
                Path(f"empty{number}").touch()
        except OSError as full:
            os.write(fd, b"%d" % full.errno)

    assert int(jailed(target, setting).received) == errno.ENOSPC


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_one_file_cannot_outgrow_its_limit(setting: Setting) -> None:
    def target(fd: int) -> None:
        try:
            with Path("big").open("wb") as file:
                for _ in range(64):
                    file.write(b"x" * MEGABYTE)
        except OSError as full:
            os.write(fd, b"%d" % full.errno)

    assert int(jailed(target, setting, file_bytes=2 * MEGABYTE).received) == errno.EFBIG


# ---- output --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["result", "stdout", "stderr"])
def test_a_flood_is_cut_off(stream: str) -> None:
    def target(fd: int) -> None:
        where = {"result": fd, "stdout": 1, "stderr": 2}[stream]
        while True:
            os.write(where, b"x" * 65536)

    ran = jailed(target, output_bytes=MEGABYTE)
    assert ran.report.outcome is Outcome.OUTPUT_OVERFLOW and str(MEGABYTE) in ran.report.detail
    assert len(ran.received) <= MEGABYTE and len(ran.report.output) <= LOG_TAIL_BYTES


def test_a_flood_that_outlives_the_target_is_cut_off_too() -> None:
    """What is still in the pipe when the target has gone is counted like the rest."""

    def target(fd: int) -> None:
        os.write(fd, b"x" * 60_000)

    ran = jailed(target, output_bytes=50_000)
    assert ran.report.outcome is Outcome.OUTPUT_OVERFLOW and ran.received == b""


def test_the_end_of_the_log_is_kept() -> None:
    def target(fd: int) -> None:
        sys.stdout.write("x" * 300_000 + "\nthe last words\n")

    report = jailed(target).report
    assert report.outcome is Outcome.EXITED
    assert report.output.endswith("the last words\n") and len(report.output) == LOG_TAIL_BYTES


def test_printing_bytes_that_are_no_text_harms_nothing() -> None:
    report = jailed(lambda fd: os.write(1, b"\xff\xfe\0ok")).report
    assert report.output.endswith("ok") and report.outcome is Outcome.EXITED


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_holding_the_pipe_open_does_not_delay_the_end(setting: Setting) -> None:
    def target(fd: int) -> None:
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)

    report = jailed(target, setting, wall_s=60.0).report
    assert report.outcome is Outcome.EXITED and report.wall_s < 30


def test_deep_recursion_ends_the_target_alone() -> None:
    def down(depth: int) -> int:
        return down(depth + 1) + 1

    def target(fd: int) -> None:
        sys.setrecursionlimit(10**9)
        down(0)

    report = jailed(target).report
    assert report.outcome in (Outcome.KILLED_BY_SIGNAL, Outcome.MEMORY, Outcome.EXITED)
    assert report.exit_code != 0
