"""The jail's vocabulary: what a submission may use and see, how a run ended, and what held it.

Pure data: no system call, no policy, importable on every platform.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Sizes are bytes; every field must be positive."""

    wall_s: float
    """Seconds from the moment the target starts, on the supervisor's monotonic clock."""
    memory_bytes: int
    """Beyond what the warm interpreter already held when it was forked."""
    processes: int
    """Processes and threads alive at once, the target's own included."""
    file_bytes: int
    """Largest single file."""
    output_bytes: int
    """Most that may arrive on the result pipe, and as much again on stdout and stderr together."""
    tmp_bytes: int
    """Total for the working directory, /tmp and /dev/shm."""


@dataclass(frozen=True)
class View:
    """The files a submission sees beside Python's own installation; nothing else of the host is there."""

    readonly: tuple[tuple[str, str], ...]
    """(path on the host, absolute path inside) of files and directories, mounted read-only."""
    workdir: str = "/work"
    """Fresh, writable, the target's current directory; nothing in it survives."""
    hidden: tuple[str, ...] = ()
    """Paths inside a read-only tree that are covered by nothing (beside the scenarios, always covered)."""
    devices: tuple[str, ...] = ()
    """Device nodes beyond null, zero, full, random and urandom (a GPU's)."""


class Outcome(enum.Enum):
    """How the run ended: the first cause that the supervisor knows of."""

    EXITED = "exited"
    KILLED_BY_SIGNAL = "killed_by_signal"
    TIMEOUT = "timeout"
    OUTPUT_OVERFLOW = "output_overflow"
    REFUSED = "refused"
    MEMORY = "memory"
    CANCELLED = "cancelled"
    SETUP_FAILED = "setup_failed"


class Feature(str, enum.Enum):
    """One layer of the jail. A level lists those it reached; CONTAINER is what already holds the server itself."""

    MOUNT = "mount_namespace"
    PID = "pid_namespace"
    NET = "net_namespace"
    IPC = "ipc_namespace"
    USER = "user_namespace"
    PROC = "own_proc"
    UID = "own_uid"
    SECCOMP = "seccomp"
    LANDLOCK = "landlock"
    CGROUP_MEMORY = "cgroup_memory"
    CGROUP_PIDS = "cgroup_pids"
    SUBREAPER = "subreaper"
    NO_NEW_PRIVS = "no_new_privs"
    RLIMITS = "rlimits"
    CONTAINER = "container"


# What stays open where a layer is missing. The first feature of each row that was reached closes it.
_OPEN_WITHOUT: tuple[tuple[tuple[Feature, ...], str], ...] = (
    ((Feature.MOUNT, Feature.LANDLOCK, Feature.CONTAINER), "host files that the user may read or write"),
    ((Feature.PID, Feature.SUBREAPER, Feature.CONTAINER), "a daemon that leaves its session outlives the run"),
    ((Feature.PID, Feature.CONTAINER), "a daemon outlives the run if its supervisor is killed"),
    ((Feature.PID, Feature.UID, Feature.LANDLOCK), "signals to other processes of the user"),
    ((Feature.NET, Feature.CONTAINER), "the host's network"),
    ((Feature.IPC, Feature.CONTAINER), "System V shared memory of the user"),
    ((Feature.CGROUP_MEMORY, Feature.CONTAINER), "memory is limited per process, not in total"),
    (
        (Feature.CGROUP_PIDS, Feature.UID, Feature.USER, Feature.CONTAINER),
        "the process limit counts the user's other processes",
    ),
    ((Feature.MOUNT, Feature.CONTAINER), "disk use is limited per file, not in total"),
    ((Feature.SECCOMP, Feature.CONTAINER), "rarely used system calls of the kernel"),
)


@dataclass(frozen=True)
class IsolationLevel:
    """Which layers hold on this machine, and why a stronger level was not reached."""

    name: str
    """namespaces, process_tree (Linux without namespaces) or process_group (elsewhere)."""
    features: frozenset[Feature]
    detail: str = ""

    def __contains__(self, feature: Feature) -> bool:
        return feature in self.features

    @property
    def undefended(self) -> tuple[str, ...]:
        """What a submission could still reach, in words."""
        return tuple(text for closing, text in _OPEN_WITHOUT if not self.features.intersection(closing))

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(sorted(feature.value for feature in self.features))})"


@dataclass(frozen=True)
class Report:
    """How one run ended. Nothing in it was written by the submission, save `output`."""

    outcome: Outcome
    exit_code: int | None
    signal: int | None
    wall_s: float
    level: IsolationLevel
    detail: str
    output: str = ""
    """The last 64 KiB of stdout and stderr, undecodable bytes replaced."""


class Refused(Exception):
    """Raised by a sink that will not take what arrived; the run is killed and its message kept."""
