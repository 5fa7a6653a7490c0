"""One run at a given level: prepares what the level needs, forks init, watches, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import jail_linux as linux
from . import jail_tree, jail_view
from .jail_cgroup import Group, Lease, janitor, new_directories
from .jail_inside import MEMORY_EXIT, Cell, Pipes, run_init
from .jail_types import Feature, IsolationLevel, Limits, Outcome, Report, View
from .jail_view import Identity
from .jail_watch import Watch

_FIRST_UID = 0x70000000  # far above any account: a number of its own gives each jail its own RLIMIT_NPROC
_INNER_UID = 1000


@dataclass(frozen=True)
class Job:
    """What jail.run was asked to do."""

    target: Callable[[int], None]
    view: View
    limits: Limits
    sink: Callable[[bytes], None]
    cancel_fd: int | None = None


def run_at(level: IsolationLevel, groups: tuple[Group, ...], job: Job) -> Report:
    """Run the job at `level`, with control groups made below `groups`. Consumes the calling process."""
    scratch = "" if Feature.MOUNT in level else _new_scratch()
    directories = new_directories(groups)
    with contextlib.ExitStack() as stack:
        try:
            _shield(level)
            keeper = stack.enter_context(janitor(scratch, groups, directories))
            spared = frozenset({keeper} if keeper else ())
            lease = stack.enter_context(contextlib.closing(_lease(groups, directories, job.limits)))
            cell = _cell(level, job, scratch, lease)
            _enter_namespaces(level)
            reads, writes = _pipes(stack)
            init = os.fork()
            if init == 0:
                run_init(job.target, cell, writes)
        except OSError as problem:
            return Report(Outcome.SETUP_FAILED, None, None, 0.0, level, f"{type(problem).__name__}: {problem}")
        lease.release_files()
        for descriptor in (writes.result, writes.log, writes.status):
            os.close(descriptor)
        watch = Watch(job.limits, job.sink, functools.partial(os.kill, init, signal.SIGKILL))
        try:
            watch.follow(reads.result, reads.log, reads.status, job.cancel_fd)
        finally:
            ended = _end(init, watch, level, cell, spared)
        wall_s = 0.0 if watch.started is None else time.monotonic() - watch.started
        watch.drain(reads.result, reads.log)
        return _report(watch, level, ended, lease.oom_kills(), wall_s)


# ---- before the fork -----------------------------------------------------------------------------------------


def _shield(level: IsolationLevel) -> None:
    """Tie this process to the server's life; keep others of the same user from tracing it."""
    if sys.platform != "linux":
        return
    linux.die_with_parent(signal.SIGKILL)
    if Feature.SUBREAPER in level:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    if Feature.USER not in level:
        linux.prctl(linux.PR_SET_DUMPABLE, 0)


def _new_scratch() -> str:
    return str(Path(tempfile.gettempdir(), f"ampfix-jail-{os.getpid()}-{secrets.token_hex(8)}"))


def _lease(groups: tuple[Group, ...], directories: tuple[Path, ...], limits: Limits) -> Lease:
    # Pages that the submission only writes to anew are charged to it, so what is warm comes on top.
    return Lease(groups, directories, limits.memory_bytes + own_memory("RssAnon"), limits.processes)


def own_memory(name: str) -> int:
    """A size from /proc/self/status, in bytes; 0 where there is none."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def _cell(level: IsolationLevel, job: Job, scratch: str, lease: Lease) -> Cell:
    identity = _identity(level)
    if Feature.UID in level and Feature.MOUNT in level and (closed := jail_view.unreadable_to_others(job.view)):
        raise PermissionError(f"{closed[0]} must be readable by other users to be shown in the jail")
    located: dict[str, str] = {}
    if scratch:
        Path(scratch).mkdir(mode=0o700)
        located = jail_tree.lay_out(job.view, Path(scratch), identity if Feature.UID in level else None)
    return Cell(
        view=job.view,
        limits=job.limits,
        level=level,
        identity=identity,
        process_limit=job.limits.processes + _uncounted_tasks(level),
        address_space=_address_space(job.limits) if _bounds_address_space(level, job.view) else None,
        located=located,
        cgroup_fds=lease.join_fds,
    )


def _bounds_address_space(level: IsolationLevel, view: View) -> bool:
    """CUDA reserves address space by the hundred gigabytes, so a run with a GPU is left without this limit."""
    return Feature.CGROUP_MEMORY not in level and not view.devices


def _address_space(limits: Limits) -> int:
    """RLIMIT_AS where nothing better is at hand: it bounds shared pages too, which RLIMIT_DATA does not."""
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    stacks = limits.processes * stack if stack != resource.RLIM_INFINITY else 0
    return own_memory("VmSize") + limits.memory_bytes + stacks


def _identity(level: IsolationLevel) -> Identity | None:
    if Feature.USER in level:
        return Identity(_INNER_UID, _INNER_UID)
    if Feature.UID in level:
        return Identity(_FIRST_UID + os.getpid(), _FIRST_UID + os.getpid())
    return None


def _uncounted_tasks(level: IsolationLevel) -> int:
    """Tasks that count towards RLIMIT_NPROC beside the submission's own."""
    if Feature.USER in level:
        return 2  # supervisor and init belong to the user namespace
    if Feature.UID in level:
        return 1  # init
    return jail_tree.tasks_of_user(os.getuid()) + 1


def _enter_namespaces(level: IsolationLevel) -> None:
    """Those that take effect at the next fork, and the user namespace that gives the right to the others."""
    if Feature.PID not in level:
        return
    if Feature.USER not in level:
        linux.unshare(linux.CLONE_NEWPID)
        return
    uid, gid = os.geteuid(), os.getegid()
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # else the maps belong to root
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWPID)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INNER_UID} {uid} 1"),
        ("gid_map", f"{_INNER_UID} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def _pipes(stack: contextlib.ExitStack) -> tuple[Pipes, Pipes]:
    """(read ends, write ends); the stack closes the read ends."""
    reads, writes = zip(*(os.pipe() for _ in range(3)), strict=True)
    for descriptor in reads:
        stack.callback(os.close, descriptor)
    return Pipes(*reads), Pipes(*writes)


# ---- after the fork ------------------------------------------------------------------------------------------


def _end(init: int, watch: Watch, level: IsolationLevel, cell: Cell, spared: frozenset[int]) -> int:
    """See to it that nothing of the run is alive; init's wait status."""
    if watch.wait_status is None:
        os.kill(init, signal.SIGKILL)
    if Feature.PID not in level:
        jail_tree.end_session(watch.submission)
        if Feature.SUBREAPER in level:
            os.waitid(os.P_PID, init, os.WEXITED | os.WNOWAIT)  # from then on its children are this process's
            jail_tree.end_descendants(spared | {init})
        if Feature.UID in level and cell.identity is not None:
            jail_tree.remove_shared_memory(cell.identity.uid)
    return os.waitpid(init, 0)[1]  # in a PID namespace: returns once the last process of it is reaped


def _report(watch: Watch, level: IsolationLevel, init_status: int, oom_kills: int, wall_s: float) -> Report:
    output = bytes(watch.log).decode(errors="replace")
    if watch.cause is not None:
        note = f"; {oom_kills} of its processes were killed for memory" if oom_kills else ""
        return Report(watch.cause, None, None, wall_s, level, watch.detail + note, output)
    if watch.wait_status is None:
        # Nothing inside a PID namespace can kill its first process, save by taking memory that is not its own alone.
        from_outside = watch.started is None or {Feature.PID, Feature.CGROUP_MEMORY} <= level.features
        cause = Outcome.SETUP_FAILED if from_outside else Outcome.KILLED_BY_SIGNAL
        detail = f"the jail's first process ended with status {init_status}"
        return Report(cause, None, None, wall_s, level, detail, output)
    code = os.waitstatus_to_exitcode(watch.wait_status)
    out_of_memory = code == MEMORY_EXIT or (code != 0 and oom_kills > 0)
    if out_of_memory:
        return Report(Outcome.MEMORY, None, None, wall_s, level, "used more memory than it may", output)
    if code < 0:
        name = signal.strsignal(-code) or "unknown"
        detail = f"killed by signal {-code} ({name})"
        return Report(Outcome.KILLED_BY_SIGNAL, None, -code, wall_s, level, detail, output)
    return Report(Outcome.EXITED, code, None, wall_s, level, f"exited with code {code}", output)
