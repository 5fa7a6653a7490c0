"""Memory and process limits for the whole jail through control groups, versions 1 and 2, where writable.

A lease is a pair of limits on fresh child groups; its files are opened before privileges are dropped, and
what is to be removed is also known to a janitor, so that it goes even if the supervisor is killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .jail_types import Feature

_CONTROLLERS = {"memory": Feature.CGROUP_MEMORY, "pids": Feature.CGROUP_PIDS}
_LIMIT_FILE = {(1, "memory"): "memory.limit_in_bytes", (2, "memory"): "memory.max"}
_OPTIONAL = {  # absent on kernels without swap accounting or group kills
    (1, "memory"): (("memory.memsw.limit_in_bytes", None),),
    (2, "memory"): (("memory.swap.max", "0"), ("memory.oom.group", "1")),
}
_OOM_FILE = {1: "memory.oom_control", 2: "memory.events"}
_REMOVAL_TRIES, _REMOVAL_PAUSE_S = 200, 0.01

_JANITOR = """
trap '' HUP INT TERM
[ -z "$1" ] || echo 0 > "$1"
read -r _
scratch=$2; shift 2
[ -z "$scratch" ] || rm -rf -- "$scratch"
for group; do
  tries=0
  while [ -d "$group" ] && ! rmdir "$group" 2>/dev/null && [ $tries -lt 100 ]; do
    tries=$((tries + 1)); sleep 0.05
  done
done
"""


@dataclass(frozen=True)
class Group:
    """One child group to be made: its controllers, the hierarchy's version, and where. own: that of this process."""

    version: int
    controllers: tuple[str, ...]
    parent: Path
    own: Path


def writable_groups(proc: Path = Path("/proc/self")) -> tuple[Group, ...]:
    """Where child groups with a memory or pids limit can be made; empty where none can."""
    try:
        own = _own_groups((proc / "cgroup").read_text())
        mounts = list(_mounts((proc / "mountinfo").read_text()))
    except OSError:
        return ()
    groups: list[Group] = []
    for version, controllers, root, point in mounts:
        if version == 1:
            names = tuple(name for name in _CONTROLLERS if name in controllers and name in own)
            if names and _usable(parent := point / _below(root, own[names[0]])):
                groups.append(Group(1, names, parent, parent))
        elif "" in own:
            groups += _version_2(point, _below(root, own[""]))
    return tuple(groups)


def reached(groups: tuple[Group, ...]) -> frozenset[Feature]:
    """The features that these groups give."""
    return frozenset(_CONTROLLERS[name] for group in groups for name in group.controllers)


def new_directories(groups: tuple[Group, ...]) -> tuple[Path, ...]:
    """One unused name below each group's parent."""
    name = f"ampfix-{os.getpid()}-{secrets.token_hex(4)}"
    return tuple(group.parent / name for group in groups)


class Lease:
    """Fresh child groups with limits set, open for one process to join."""

    def __init__(
        self, groups: tuple[Group, ...], directories: tuple[Path, ...], memory_bytes: int, processes: int
    ) -> None:
        self.directories = directories
        self.join_fds: tuple[int, ...] = ()
        self._oom_files: list[Path] = []
        limits = {"memory": memory_bytes, "pids": processes}
        try:
            for group, directory in zip(groups, directories, strict=True):
                directory.mkdir()
                for controller in group.controllers:
                    _set_limit(directory, group.version, controller, limits[controller])
                if "memory" in group.controllers:
                    self._oom_files.append(directory / _OOM_FILE[group.version])
                self.join_fds += (os.open(directory / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC),)
        except OSError:
            self.close()
            raise

    def release_files(self) -> None:
        """Close the supervisor's copies of the files, once the jail's first process holds them."""
        for descriptor in self.join_fds:
            os.close(descriptor)
        self.join_fds = ()

    def oom_kills(self) -> int:
        """How many of the group's processes the kernel killed for memory."""
        return sum(_counter(path, "oom_kill") for path in self._oom_files)

    def close(self) -> None:
        """Remove the groups; all their processes must be dead, but the kernel may need a moment."""
        self.release_files()
        for directory in self.directories:
            for _ in range(_REMOVAL_TRIES):
                try:
                    directory.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(_REMOVAL_PAUSE_S)


@contextlib.contextmanager
def janitor(scratch: str, groups: tuple[Group, ...], directories: tuple[Path, ...]) -> Iterator[int]:
    """Have a small shell remove directories when this process ends in whatever way, or the block does.

    The janitor is a process of its own session that waits for the end of a pipe only this process holds.
    Yields its process id; 0 where there is nothing to remove.

    It first joins the group that it is in: nothing moves, but the kernel begins the grace period that every join has
    to wait for (5 to 14 ms measured), and the submission's join some milliseconds later finds it over (0.06 ms).
    """
    if not scratch and not directories:
        yield 0
        return
    with subprocess.Popen(
        ["/bin/sh", "-c", _JANITOR, "janitor", _first_members(groups), scratch, *map(str, directories)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin"}, cwd="/", start_new_session=True,
    ) as shell:  # fmt: skip
        yield shell.pid


def _first_members(groups: tuple[Group, ...]) -> str:
    """The file that lists, and takes, the processes of this process's own group; empty where there is none."""
    return str(groups[0].own / "cgroup.procs") if groups else ""


def _own_groups(text: str) -> dict[str, str]:
    """Controller -> path in its hierarchy; version 2's under the empty name."""
    own: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    return own


def _mounts(text: str) -> Iterator[tuple[int, tuple[str, ...], str, Path]]:
    """(version, controllers, shown part of the hierarchy, mount point) of each mount, from mountinfo."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, point = before.split(" ")[3:5]
        if kind == "cgroup":
            yield 1, tuple(options.split(",")), root, Path(point)
        elif kind == "cgroup2":
            yield 2, (), root, Path(point)


def _below(root: str, path: str) -> str:
    """A group's path as seen from a mount that shows the hierarchy from `root` on."""
    return (path[len(root) :] if root != "/" and path.startswith(root) else path).lstrip("/")


def _version_2(point: Path, name: str) -> list[Group]:
    """A group with processes cannot pass controllers on, so a sibling may have to do."""
    own = point / name
    for parent in (own, own.parent) if name else (own,):
        try:
            passed_on = (parent / "cgroup.subtree_control").read_text().split()
        except OSError:
            continue
        names = tuple(controller for controller in _CONTROLLERS if controller in passed_on)
        if names and _usable(parent):
            return [Group(2, names, parent, own)]
    return []


def _usable(parent: Path) -> bool:
    return os.access(parent, os.W_OK) and os.access(parent / "cgroup.procs", os.W_OK) and _can_hold_a_child(parent)


def _can_hold_a_child(parent: Path) -> bool:
    """A read-only mount or a policy shows only when tried."""
    trial = parent / f"ampfix-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        trial.mkdir()
    except OSError:
        return False
    trial.rmdir()
    return True


def _set_limit(directory: Path, version: int, controller: str, limit: int) -> None:
    (directory / _LIMIT_FILE.get((version, controller), "pids.max")).write_text(str(limit))
    for name, value in _OPTIONAL.get((version, controller), ()):
        with contextlib.suppress(OSError):
            (directory / name).write_text(value or str(limit))


def _counter(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
