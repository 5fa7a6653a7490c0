"""What this machine allows, found out by trying: the strongest level whose rehearsal succeeds."""

from __future__ import annotations

import functools
import os
import pickle
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from . import jail_filters as filters
from . import jail_view
from .jail_cgroup import Group, reached, writable_groups
from .jail_run import Job, run_at
from .jail_types import Feature, IsolationLevel, Limits, Outcome, Report, View

_NAMESPACES = frozenset({Feature.MOUNT, Feature.PID, Feature.NET, Feature.IPC, Feature.PROC})
_ALWAYS_ON_LINUX = frozenset({Feature.RLIMITS, Feature.NO_NEW_PRIVS})


@functools.cache
def settle() -> tuple[IsolationLevel, tuple[Group, ...]]:
    """The level to use on this machine and the control groups it uses; rehearsed once per process tree."""
    return settle_for(_NOTHING)


def settle_for(rehearsal: Job) -> tuple[IsolationLevel, tuple[Group, ...]]:
    """The strongest level in which a job ends well, and its control groups.

    Raises OSError where it does so in none, with what went wrong in each.
    """
    groups = writable_groups()
    jail_view.plan(View(readonly=()))  # cached for the forks
    problems: list[str] = []
    for features in _candidates(groups):
        level = IsolationLevel(_name(features), features, "; ".join(problems))
        used = groups if features & reached(groups) else ()
        report = _rehearse(level, used, rehearsal)
        if report.outcome is Outcome.EXITED and report.exit_code == 0:
            return level, used
        problems.append(": ".join((level.name, report.detail, *report.output.strip().splitlines()[-1:])))
    raise OSError(f"no process can be jailed on this machine ({'; '.join(problems)})")


def probe() -> IsolationLevel:
    """What this kernel allows; cached. Call it in the server once, so that its forks need not."""
    return settle()[0]


def _name(features: frozenset[Feature]) -> str:
    if Feature.PID in features:
        return "namespaces"
    return "process_tree" if Feature.SUBREAPER in features else "process_group"


def _candidates(groups: tuple[Group, ...]) -> Iterator[frozenset[Feature]]:
    """Levels worth trying here, the strongest first."""
    if sys.platform != "linux":
        yield frozenset({Feature.RLIMITS})
        return
    kernel = _ALWAYS_ON_LINUX | _filters() | _surroundings()
    root = os.geteuid() == 0
    namespaces = _NAMESPACES | {Feature.UID if root else Feature.USER}
    tree = frozenset({Feature.SUBREAPER})
    if root and all(map(_others_can_reach, jail_view.python_paths())):
        tree |= {Feature.UID}
    for limits in dict.fromkeys((reached(groups), frozenset())):
        yield kernel | limits | namespaces
        yield kernel | limits | namespaces - {Feature.PROC}
    for limits in dict.fromkeys((reached(groups), frozenset())):
        yield kernel | limits | tree
    yield _ALWAYS_ON_LINUX | {Feature.SUBREAPER} | _surroundings()


def _filters() -> frozenset[Feature]:
    found = {Feature.SECCOMP} if filters.seccomp_supported() else set()
    return frozenset(found | ({Feature.LANDLOCK} if filters.landlock_abi() > 0 else set()))


def _surroundings() -> set[Feature]:
    """What holds this whole server: the container that a runner made for it, and says so."""
    return {Feature.CONTAINER} if os.environ.get("AMPFIX_CONTAINER") == "1" else set()


def _others_can_reach(path: Path) -> bool:
    """Whether a user who owns nothing may walk to `path` (a jail of its own uid without mounts has to)."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _do_nothing(_: object) -> None:
    pass


_NOTHING = Job(
    target=_do_nothing,
    view=View(readonly=()),
    limits=Limits(10.0, 1 << 30, 64, 1 << 20, 1 << 16, 1 << 20),
    sink=_do_nothing,
)


def _rehearse(level: IsolationLevel, groups: tuple[Group, ...], job: Job) -> Report:
    """A run in a fork of its own, since a run consumes the process that makes it."""
    read, write = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        try:
            os.write(write, pickle.dumps(run_at(level, groups, job)))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(supervisor, 0)
    if not answer:
        return Report(Outcome.SETUP_FAILED, None, None, 0.0, level, "the rehearsal's supervisor died")
    report: Report = pickle.loads(answer)  # written by trusted code of this very process image
    return report
