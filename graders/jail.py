"""The jail: runs a Python callable of a warm interpreter so that it can touch nothing and outlive nothing.

Processes of one run, each a fork of the one before (no exec, so imported modules stay warm):

    S  server      forks A from a thread that outlives it (A dies with that thread), knows no secret
    A  supervisor  calls run(): keeps the clock, counts bytes, kills; never runs submitted code
    B  init        first process of the PID namespace: builds the file view, drops privileges, reaps
    C  submission  target(fd), where fd is the write end of the only pipe that leads out

A and S must hold no secret: C starts as a copy of their memory, and their frames are on its stack.
Killing A or S at any moment, by any signal, ends B and C and removes what they had.

Levels, from strong to weak, recorded in every report together with what they leave open:

    namespaces     Linux 5.12 or later, as root or where user namespaces are allowed
    process_tree   Linux otherwise: landlock and seccomp where the kernel has them, a subreaper, rlimits
    process_group  elsewhere: rlimits, and a kill of the process group

On the last two levels the files of the view are copies; `resolve` says where a path of the view lies.
"""

from __future__ import annotations

from collections.abc import Callable

from .jail_inside import resolve
from .jail_probe import probe, settle, settle_for
from .jail_run import Job, run_at
from .jail_types import Feature, IsolationLevel, Limits, Outcome, Refused, Report, View

__all__ = [
    "Feature",
    "IsolationLevel",
    "Limits",
    "Outcome",
    "Refused",
    "Report",
    "View",
    "probe",
    "resolve",
    "run",
    "strongest_for",
]


def strongest_for(target: Callable[[int], None], view: View, limits: Limits) -> IsolationLevel:
    """The strongest level in which `target` ends well: a view's devices may ask for a weaker one than `probe()` gives.

    Each level is tried in forks of its own. Raises OSError where there is none, with what went wrong in each.
    """
    return settle_for(Job(target, view, limits, lambda _data: None))[0]


def run(
    target: Callable[[int], None],
    view: View,
    limits: Limits,
    sink: Callable[[bytes], None],
    *,
    cancel_fd: int | None = None,
    level: IsolationLevel | None = None,
) -> Report:
    """Run `target(fd)` jailed and feed what it writes to `fd` to `sink`; return when nothing of it is alive.

    Call it once, in a fresh single-threaded fork of the server: it consumes the process, which afterwards
    can report and exit but not run again. `sink` gets chunks of at most 64 KiB and may raise Refused to end
    the run; any other exception of it propagates once the jail is gone. When `cancel_fd` becomes readable
    or closes, the run is ended. `level` is for tests of the weaker levels; the default is `probe()`.

    An uncaught exception of the target is printed on its stderr and gives exit code 1. What could not be
    set up is reported as SETUP_FAILED and is never the submission's fault. Raises OSError where not even
    the weakest level works.
    """
    settled, groups = settle()
    chosen = level or settled
    wanted = {Feature.CGROUP_MEMORY, Feature.CGROUP_PIDS} & chosen.features
    return run_at(chosen, groups if wanted else (), Job(target, view, limits, sink, cancel_fd))
