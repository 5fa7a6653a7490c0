"""The weaker levels, for kernels without namespaces: copies instead of mounts, a hunt instead of one kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .jail_types import View
from .jail_view import Identity

_SHARED_MEMORY = Path("/dev/shm")
_PAUSE_S = 0.005


def lay_out(view: View, scratch: Path, identity: Identity | None) -> dict[str, str]:
    """Copy the view's files below `scratch` and make its writable places: {path inside: real path}.

    Trees shown at their own path (Python packages) are used where they are.
    """
    scratch.chmod(0o711)
    located: dict[str, str] = {}
    for place in (view.workdir, "/tmp"):
        real = scratch / f"writable{len(located)}"
        real.mkdir(mode=0o700)
        if identity is not None:
            os.chown(real, identity.uid, identity.gid)
        located[place] = str(real)
    for number, (host, inside) in enumerate(view.readonly):
        if host == inside:
            continue
        real = scratch / f"given{number}" / Path(inside).name
        real.parent.mkdir(mode=0o755)
        if Path(host).is_dir():
            shutil.copytree(host, real)
        else:
            shutil.copyfile(host, real)
        located[inside] = str(real)
    # A longer path first: what is given inside the working directory lies elsewhere here.
    return dict(sorted(located.items(), key=lambda item: -len(item[0])))


def tasks_of_user(uid: int) -> int:
    """Processes and threads that count towards the user's RLIMIT_NPROC; 0 where that cannot be told."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == uid:
                total += sum(1 for _ in (entry / "task").iterdir())
    return total


def end_session(leader: int | None) -> None:
    """Kill the process group of the submission."""
    if leader is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def end_descendants(spared: frozenset[int]) -> None:
    """Kill and reap all that descends from this process, a subreaper, save its children in `spared`.

    Everything is stopped before anything is killed: a fork bomb would refill freed places for ever.
    """
    while doomed := descendants(os.getpid(), spared):
        seen: set[int] = set()
        while doomed - seen:
            for pid in doomed - seen:
                _signal(pid, signal.SIGSTOP)
            seen |= doomed
            doomed = descendants(os.getpid(), spared)
        for pid in seen:
            _signal(pid, signal.SIGKILL)
        for pid in seen:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(_PAUSE_S)


def remove_shared_memory(uid: int) -> None:
    """Remove what a user of the jail's own left in the host's /dev/shm."""
    for entry in _SHARED_MEMORY.iterdir():
        with contextlib.suppress(OSError):
            if entry.lstat().st_uid == uid:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def descendants(ancestor: int, spared: frozenset[int] = frozenset()) -> set[int]:
    """All processes that descend from one, without the children `spared` and their own."""
    if sys.platform != "linux":
        return set()
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    pending = [pid for pid in children.get(ancestor, ()) if pid not in spared]
    while pending:
        pid = pending.pop()
        found.add(pid)
        pending += children.get(pid, ())
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """(process, its parent) of every process that /proc shows."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                yield int(name), int(Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[1])
