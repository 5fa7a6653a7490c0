"""The two processes inside the jail: the trusted init, and the submission's interpreter that it forks.

init builds the file view, gives up every privilege, forks the submission, reaps, and ends when the
submission does; in a PID namespace the kernel then kills all that is left. It tells the supervisor how
things went over a status pipe that the submission no longer holds when its code starts:
READY + its process id, FAILED + message, or ENDED + wait status.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import resource
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from . import jail_filters as filters
from . import jail_linux as linux
from . import jail_view
from .jail_types import Feature, IsolationLevel, Limits, View
from .jail_view import Identity

READY, FAILED, ENDED = b"R", b"F", b"E"
MEMORY_EXIT = 97  # the exit code of a target that ended with an uncaught allocation failure
_PASSED_ON = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_OPEN_FILES = 1024

_located: dict[str, str] = {}


@dataclass(frozen=True)
class Cell:
    """All that the inner processes need to know, settled before the first of them is forked."""

    view: View
    limits: Limits
    level: IsolationLevel
    identity: Identity | None
    process_limit: int
    address_space: int | None
    located: dict[str, str]
    cgroup_fds: tuple[int, ...]


@dataclass(frozen=True)
class Pipes:
    """Write ends, as file descriptors."""

    result: int
    log: int
    status: int


def resolve(inside: str) -> str:
    """Where a path of the view really is. Itself in a mount namespace; a copy's place on weaker levels."""
    for prefix, real in _located.items():
        if inside == prefix or inside.startswith(prefix + "/"):
            return real + inside[len(prefix) :]
    return inside


def run_init(target: Callable[[int], None], cell: Cell, pipes: Pipes) -> NoReturn:
    """Be the jail's first process. Called in a fresh fork; never returns."""
    try:
        _enter(cell, pipes)
        gc.freeze()  # what is alive now stays in shared pages, and out of gc.get_objects()
        submission = os.fork()
    except BaseException as problem:
        _tell(pipes.status, FAILED + _describe(problem).encode())
        os._exit(1)
    if submission == 0:
        _be_the_submission(target, cell, pipes)
    for descriptor in (pipes.result, pipes.log, *cell.cgroup_fds):
        os.close(descriptor)
    _tell(pipes.status, ENDED + str(_wait_for(submission)).encode())
    os._exit(0)


def _tell(descriptor: int, message: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(descriptor, message + b"\n")


def _describe(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}".replace("\n", " ")


def _wait_for(submission: int) -> int:
    """Reap whatever dies until the submission does; its wait status."""
    while True:
        pid, status = os.wait()
        if pid == submission:
            return status


# ---- init ----------------------------------------------------------------------------------------------------


def _enter(cell: Cell, pipes: Pipes) -> None:
    _reset_signals()
    if Feature.PID not in cell.level:  # a namespace's first process is deaf to what it has no handler for
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
    os.setsid()
    _volunteer_when_memory_runs_out()
    _keep_only((pipes.result, pipes.log, pipes.status, *cell.cgroup_fds))
    if sys.platform == "linux":
        _die_with_supervisor(pipes.status)
    if Feature.MOUNT in cell.level:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
        linux.bring_loopback_up()
        assert cell.identity is not None
        jail_view.build(cell.view, cell.limits, cell.identity, cell.level.features)
    if sys.platform == "linux":
        _give_up_privileges(cell)
        _die_with_supervisor(pipes.status)
    _located.update(cell.located)
    _forget_environment(cell.view)


def _volunteer_when_memory_runs_out() -> None:
    """Where no control group holds the jail alone, the kernel's choice shall be a submission, not its supervisor."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def _die_with_supervisor(status: int) -> None:
    """Ask for SIGKILL at the supervisor's death, then see that it had not died before the request."""
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.die_with_parent(signal.SIGKILL)
    poll = select.poll()
    poll.register(status, 0)
    if poll.poll(0):  # POLLERR: nobody reads the status any more
        os._exit(1)


def _give_up_privileges(cell: Cell) -> None:
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if cell.identity is not None and Feature.USER not in cell.level:
        os.setgroups([])
        os.setresgid(cell.identity.gid, cell.identity.gid, cell.identity.gid)
        linux.drop_capability_bound()
        os.setresuid(cell.identity.uid, cell.identity.uid, cell.identity.uid)
    else:
        linux.drop_capability_bound()
    linux.drop_capabilities()


def _forget_environment(view: View) -> None:
    os.environ.clear()
    os.environ.update(_PASSED_ON, HOME=resolve(view.workdir), TMPDIR=resolve("/tmp"), USER="jail", LOGNAME="jail")
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    # What the warm interpreter remembers of the old one.
    tempfile.tempdir = None
    multiprocessing.current_process()._config.pop("tempdir", None)  # type: ignore[attr-defined]
    if sys.platform == "linux":
        linux.erase_environment_block()


def _keep_only(descriptors: tuple[int, ...]) -> None:
    """Close all else; standard input, output and error become /dev/null."""
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in descriptors:
            with contextlib.suppress(OSError):  # the listing's own descriptor is closed already
                os.close(int(name))


# ---- the submission ------------------------------------------------------------------------------------------


def _be_the_submission(target: Callable[[int], None], cell: Cell, pipes: Pipes) -> NoReturn:
    code = 1
    try:
        try:
            _confine(cell)
        except BaseException as problem:
            _tell(pipes.status, FAILED + _describe(problem).encode())
            os._exit(1)
        _tell(pipes.status, READY + str(os.getpid()).encode())
        _hand_over(pipes)
        code = _call(target, pipes.result)
    finally:
        os._exit(code)


def _confine(cell: Cell) -> None:
    os.setsid()
    for descriptor in cell.cgroup_fds:
        os.write(descriptor, b"0")  # moves the writer; the kernel checks who opened the file
        os.close(descriptor)
    os.chdir(resolve(cell.view.workdir))
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _set_rlimits(cell)
    if Feature.LANDLOCK in cell.level:
        _landlock(cell)
    if Feature.SECCOMP in cell.level:
        filters.install_seccomp()
    if sys.platform == "linux":
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # or its own /proc/self would be root's


def _set_rlimits(cell: Cell) -> None:
    limits = cell.limits
    cpu = int(limits.wall_s * (os.cpu_count() or 1)) + 2
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: cpu,  # bounds what would outlive the supervisor on the weaker levels
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_NPROC: cell.process_limit,
    }
    if cell.address_space is not None:
        if sys.platform == "linux":
            linux.use_one_malloc_arena()  # each further one would reserve 128 MiB of address space
        wanted[resource.RLIMIT_AS] = cell.address_space
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _landlock(cell: Cell) -> None:
    if Feature.MOUNT in cell.level:
        readable: list[str] = ["/"]
        writable = [cell.view.workdir, "/tmp", "/dev/shm"]
    else:
        writable = [resolve(cell.view.workdir), resolve("/tmp"), "/dev/shm"]
        readable = [*jail_view.visible_without_mounts(cell.view, cell.located), "/proc"]
    filters.install_landlock(readable, writable, jail_view.device_paths(cell.view))


def _hand_over(pipes: Pipes) -> None:
    """Leave the submission its standard streams and the result pipe, and no other descriptor.

    The pipe keeps its number: a lower one might be closed by an inherited object that once owned it.
    """
    os.dup2(pipes.log, 1)
    os.dup2(pipes.log, 2)
    os.close(pipes.log)
    os.close(pipes.status)
    sys.stdout = open(1, "w", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", errors="replace", closefd=False, buffering=1)  # noqa: SIM115


def _call(target: Callable[[int], None], result: int) -> int:
    """Run the target and say how it ended as an exit code, the way an interpreter would."""
    code = 0
    try:
        target(result)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException as problem:
        traceback.print_exc()
        code = MEMORY_EXIT if _ran_out_of_memory(problem) else 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    return code & 0xFF


def _ran_out_of_memory(problem: BaseException) -> bool:
    return isinstance(problem, MemoryError) or "can't allocate memory" in str(problem)
