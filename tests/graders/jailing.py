"""Runs plain functions in the jail from a fork that plays the grading server, and looks for what was left behind."""

from __future__ import annotations

import ctypes
import os
import pickle
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from graders import jail, jail_cgroup, jail_probe, jail_view
from graders.jail import Feature, IsolationLevel, Limits, Outcome, Report, View

MEGABYTE = 1 << 20
LIMITS = {
    "wall_s": 20.0,
    "memory_bytes": 256 * MEGABYTE,
    "processes": 24,
    "file_bytes": 16 * MEGABYTE,
    "output_bytes": MEGABYTE,
    "tmp_bytes": 32 * MEGABYTE,
}
FIRST_JAIL_UID = 0x70000000
ORDINARY_UID = 1_000_000 + os.getpid()  # a user whose processes no other test starts
EMPTY = View(readonly=())


@dataclass(frozen=True)
class Ran:
    """What a server would know after a run."""

    report: Report
    received: bytes


@dataclass(frozen=True)
class Setting:
    """Who the server is, and the level asked for (None: what the machine allows)."""

    name: str
    uid: int = 0
    features: frozenset[Feature] | None = None

    def __str__(self) -> str:
        return self.name

    def level(self) -> IsolationLevel | None:
        return None if self.features is None else IsolationLevel(self.name, self.features)


libc = ctypes.CDLL(None, use_errno=True)
_TEST_PROCESS = os.getpid()
_FILTERS = {Feature.SECCOMP, Feature.LANDLOCK, Feature.RLIMITS, Feature.NO_NEW_PRIVS, Feature.SUBREAPER}
AS_ROOT = Setting("root")
AS_USER = Setting("user", uid=ORDINARY_UID)
AS_TREE = Setting("process_tree", uid=ORDINARY_UID, features=frozenset(_FILTERS))
AS_GROUP = Setting("process_group", uid=ORDINARY_UID, features=frozenset({Feature.RLIMITS}))
NAMESPACED = (AS_ROOT, AS_USER)
EVERY_LINUX_LEVEL = (AS_ROOT, AS_USER, AS_TREE)


def jailed(
    target: Callable[[int], None],
    setting: Setting = AS_ROOT,
    view: View = EMPTY,
    *,
    sink: Callable[[bytes], None] | None = None,
    cancel_fd: int | None = None,
    **limits: float,
) -> Ran:
    """Run `target` jailed, as a server under `setting` would; limits override LIMITS."""
    read, write = os.pipe()
    supervisor = start_supervisor(target, setting, view, write, sink=sink, cancel_fd=cancel_fd, **limits)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pickle.loads(pipe.read())
    os.waitpid(supervisor, 0)
    if isinstance(answer, str):
        raise AssertionError(answer)
    ran = Ran(*answer)
    if setting.features is None and ran.report.level.name != "namespaces":
        pytest.skip(f"no namespaces here: {ran.report.level.detail}")
    return ran


def start_supervisor(
    target: Callable[[int], None],
    setting: Setting,
    view: View,
    answer: int,
    *,
    sink: Callable[[bytes], None] | None = None,
    cancel_fd: int | None = None,
    **limits: float,
) -> int:
    """Fork the supervisor; it pickles (report, received) or an error text to `answer`."""
    jail.probe()
    pid = os.fork()
    if pid:
        return pid
    try:
        become(setting.uid)
        received: list[bytes] = []
        report = jail.run(
            target,
            view,
            Limits(**{**LIMITS, **limits}),
            sink or received.append,
            cancel_fd=cancel_fd,
            level=setting.level(),
        )
        result: object = (report, b"".join(received))
    except BaseException:
        result = traceback.format_exc()
    with suppress(OSError), os.fdopen(answer, "wb") as pipe:
        pipe.write(pickle.dumps(result))
    os._exit(0)


def become(uid: int) -> None:
    """Go on as an ordinary user, who has to find out anew what the machine allows."""
    if uid and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a change of user clears
        jail_probe.settle.cache_clear()
        jail_view._installation.cache_clear()


def open_up(path: Path) -> None:
    """Let every user walk to `path`, which pytest keeps for the one who runs it."""
    for folder in path.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)


def attempts(**actions: Callable[[], object]) -> Callable[[int], None]:
    """A target that tries each action and reports the names of those that raised nothing, one a line."""

    def target(fd: int) -> None:
        for name, action in actions.items():
            try:
                action()
            except (OSError, ValueError):
                continue
            os.write(fd, name.encode() + b"\n")

    return target


def succeeded(setting: Setting, **actions: Callable[[], object]) -> list[str]:
    """The names of the actions that raised nothing."""
    ran = jailed(attempts(**actions), setting)
    assert ran.report.outcome is Outcome.EXITED, ran.report
    return ran.received.decode().split()


def system_call(number: int, *arguments: int) -> Callable[[], None]:
    """An action that makes a raw x86_64 system call and raises what it refuses with."""

    def action() -> None:
        if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    return action


def name_process(name: str) -> None:
    """Give the calling process a name that `processes_named` finds from outside."""
    ctypes.CDLL(None).prctl(15, _unique(name).encode(), 0, 0, 0)  # PR_SET_NAME


def _unique(name: str) -> str:
    """A name that tests running beside this one do not use; the kernel keeps 15 characters."""
    assert len(name) <= 6
    return f"{name}{_TEST_PROCESS}"


def processes_named(name: str) -> list[int]:
    """Living processes of that name on the whole machine."""
    found, name = [], _unique(name)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "comm").read_text().strip() == name and "\nState:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
    return found


def owner(pid: int) -> int:
    """The user a process runs as; -1 where it has ended."""
    try:
        return Path("/proc", str(pid)).stat().st_uid
    except OSError:
        return -1


def orphans() -> set[Path]:
    """Control groups and scratch folders whose supervisor, named by its number in them, has gone."""
    groups = [child for group in jail_cgroup.writable_groups() for child in group.parent.glob("ampfix-*-*")]
    left = [*groups, *Path("/tmp").glob("ampfix-jail-*-*")]
    return {path for path in left if not Path("/proc", path.name.split("-")[-2]).exists()}


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition comes true within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
