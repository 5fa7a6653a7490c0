"""What a target cannot reach or do from inside: other processes, what the server had open, network, privileges."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graders.jail import Outcome

from .jailing import (
    AS_ROOT,
    EVERY_LINUX_LEVEL,
    NAMESPACED,
    ORDINARY_UID,
    Setting,
    attempts,
    jailed,
    libc,
    succeeded,
    system_call,
)

CHECKOUT = Path(__file__).resolve().parents[2]

# ---- processes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_only_the_jails_processes_exist(setting: Setting) -> None:
    def target(fd: int) -> None:
        os.write(fd, " ".join(name for name in os.listdir("/proc") if name.isdigit()).encode())

    assert jailed(target, setting).received.decode().split() == ["1", "2"]


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_init_can_be_neither_killed_nor_read(setting: Setting) -> None:
    killed = [lambda n=n: os.kill(1, n) for n in (9, 15, 19, 2, 11)]

    def target(fd: int) -> None:
        for kill in killed:
            with contextlib.suppress(OSError):
                kill()
        attempts(
            memory=lambda: open("/proc/1/mem", "rb").close(),
            environment=lambda: Path("/proc/1/environ").read_bytes(),
            root=lambda: os.listdir("/proc/1/root"),
            descriptors=lambda: os.listdir("/proc/1/fd"),
            attach=system_call(101, 16, 1, 0, 0),  # ptrace(PTRACE_ATTACH)
            trace_me=system_call(101, 0, 0, 0, 0),
            limits=lambda: __import__("resource").prlimit(1, 7, (3, 3)) and os.stat("/no/such"),
        )(fd)

    ran = jailed(target, setting)
    assert ran.report.outcome is Outcome.EXITED and ran.received == b"", ran


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_the_supervisor_and_the_server_survive_signals_to_everything(setting: Setting) -> None:
    server = os.getpid()
    canary = os.fork()
    if canary == 0:
        with contextlib.suppress(Exception):
            os.setresuid(setting.uid, setting.uid, setting.uid)
            threading.Event().wait(60)
        os._exit(0)

    def target(fd: int) -> None:
        for victim in (server, canary, os.getppid(), -1):
            with contextlib.suppress(OSError):
                os.kill(victim, 9)
        os.write(fd, b"still here")

    try:
        report = jailed(target, setting).report
        assert report.outcome in (Outcome.EXITED, Outcome.KILLED_BY_SIGNAL)
        assert os.waitpid(canary, os.WNOHANG) == (0, 0)
    finally:
        os.kill(canary, 9)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(canary, 0)


# ---- what a fork inherits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_no_descriptor_is_inherited_but_the_standard_three_and_the_pipe(setting: Setting, bait: Path) -> None:
    opened = os.open(bait, os.O_RDWR)
    listening, connected = socket.create_server(("127.0.0.1", 0)), socket.socketpair()

    def target(fd: int) -> None:
        alive = [number for number in range(4096) if _is_open(number)]
        os.write(fd, repr(sorted({*alive} - {fd})).encode())

    try:
        assert jailed(target, setting).received == b"[0, 1, 2]"
    finally:
        os.close(opened)
        for one in (listening, *connected):
            one.close()


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_the_servers_environment_is_gone_even_from_the_memory_the_kernel_shows(tmp_path: Path) -> None:
    program = f"""
import os, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from tests.graders.jailing import jailed
def target(fd):
    shown = open("/proc/self/environ", "rb").read() + repr(os.environ).encode()
    os.write(fd, b"LEAKED" if b"hunter2" in shown else b"clean")
print(jailed(target).received.decode())
"""
    environment = {**os.environ, "API_TOKEN": "hunter2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "clean", done.stderr


# ---- kernel --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="raw system call numbers of x86_64")
@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_dangerous_system_calls_are_refused(setting: Setting) -> None:
    user_namespace = 0x10000000
    assert not succeeded(
        setting,
        unshare=system_call(272, user_namespace),
        clone=system_call(56, user_namespace | 17, 0, 0, 0, 0),
        clone3=system_call(435, 0, 0),
        mount=system_call(165, 0, 0, 0, 0, 0),
        bpf=system_call(321, 0, 0, 0),
        io_uring=system_call(425, 8, 0),
        userfaultfd=system_call(323, 0),
        perf=system_call(298, 0, 0, -1, -1, 0),
        process_vm_readv=system_call(310, os.getpid(), 0, 0, 0, 0, 0),
        open_by_handle=system_call(304, 0, 0, 0),
        keyring=system_call(250, 0, -3, 0, 0, 0),
        vsock=lambda: socket.socket(40, socket.SOCK_STREAM),
        packet=lambda: socket.socket(17, socket.SOCK_RAW),
        raw=lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        setuid=lambda: os.setuid(0),
        chroot=lambda: os.chroot("/"),
        clock=lambda: __import__("time").clock_settime(0, 0.0),
        hostname=lambda: socket.sethostname("x"),
        device=lambda: os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)),
        nice=lambda: os.nice(-5),
    )


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_no_privilege_is_left_and_none_can_be_gained(setting: Setting) -> None:
    def target(fd: int) -> None:
        os.write(fd, Path("/proc/self/status").read_bytes())

    status = dict(line.split(":\t", 1) for line in jailed(target, setting).received.decode().splitlines())
    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split()


def test_the_jails_user_owns_nothing_on_the_host_and_is_nobody_elses() -> None:
    def target(fd: int) -> None:
        os.write(fd, str(os.getuid()).encode())

    first, second = (int(jailed(target, AS_ROOT).received) for _ in range(2))
    assert first != second and min(first, second) > 1_000_000
    assert ORDINARY_UID not in (first, second)


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_nothing_outside_can_be_connected_to(setting: Setting, bait: Path) -> None:
    by_path, abstract = str(bait.parent / "server.sock"), f"\0ampfix-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as unnamed,
    ):
        named.bind(by_path)
        unnamed.bind(abstract)
        for server in (named, unnamed):
            server.listen()
        Path(by_path).chmod(0o777)
        address = tcp.getsockname()
        assert not succeeded(
            setting,
            tcp=lambda: socket.socket().connect(address),
            outside=lambda: socket.socket().connect(("198.51.100.1", 80)),
            named=lambda: socket.socket(socket.AF_UNIX).connect(by_path),
            abstract=lambda: socket.socket(socket.AF_UNIX).connect(abstract),
        )


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_system_v_shared_memory_of_the_host_is_out_of_reach(setting: Setting) -> None:
    segment = libc.shmget(0x414D50, 4096, 0o1666)
    assert segment >= 0
    try:
        ran = jailed(lambda fd: os.write(fd, str(libc.shmget(0x414D50, 0, 0)).encode()), setting)
        assert ran.received == b"-1"
    finally:
        libc.shmctl(segment, 0, None)
