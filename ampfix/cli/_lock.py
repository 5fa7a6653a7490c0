"""The part of `suite` about its lock file: its options, holding a result to it, and writing it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ampfix.cli._common import CommandError

if TYPE_CHECKING:
    from ampfix.lab.lockfile import Lock
    from ampfix.lab.spec import ScenarioSpec
    from ampfix.lab.suite import SuiteReport


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options about the lock, beside the mode --update."""
    group = parser.add_argument_group("regression")
    group.add_argument("--locked", action="store_true", help="hold every verdict to the lock file: a change exits 1")
    group.add_argument(
        "--lock-file", type=Path, metavar="FILE", help="the lock file (default: scenarios.lock beside the scenarios)"
    )
    group.add_argument(
        "--shard", metavar="I/N", help="run the Ith of N shares of about equal cost, the same on every machine"
    )


def check_options(args: argparse.Namespace) -> None:
    """Raise CommandError for options that contradict each other."""
    if args.locked and (args.update or args.calibrate):
        other = "--update" if args.update else "--calibrate"
        raise CommandError(f"--locked compares with the lock, {other} does not: choose one")
    if args.locked and args.device != "cpu":
        raise CommandError("--locked: the lock holds verdicts under emulation; leave --device out")
    if args.locked:
        required_lock(args)  # told before anything has run


def read_lock(args: argparse.Namespace) -> Lock | None:
    """The lock, None where there is none. Raises CommandError."""
    from ampfix.lab import lockfile

    with _told():
        return lockfile.read(_path(args))


def required_lock(args: argparse.Namespace) -> Lock:
    """The lock. Raises CommandError, also where there is none."""
    lock = read_lock(args)
    if lock is None:
        raise CommandError(f"{_path(args)}: no lock file; write it with `ampfix suite --update`")
    return lock


def share_of(args: argparse.Namespace, specs: list[ScenarioSpec]) -> list[ScenarioSpec]:
    """The scenarios of --shard; all where it is not given. Raises CommandError."""
    if args.shard is None:
        return specs
    from ampfix.lab import shards

    try:
        shard = shards.parse(args.shard)
    except ValueError as error:
        raise CommandError(f"--shard {error}") from None
    return shards.share(specs, shard, read_lock(args))


def held_to_lock(args: argparse.Namespace, report: SuiteReport, specs: list[ScenarioSpec]) -> SuiteReport:
    """The report with its differences from the lock."""
    from ampfix.lab import compare

    whole = not args.ids and args.shard is None
    known = [spec.id for spec in specs] if whole else []
    return compare.held_to(report, required_lock(args), specs, known=known)


def update(args: argparse.Namespace, report: SuiteReport, specs: list[ScenarioSpec]) -> None:
    """Write what a run showed to the lock. Raises CommandError where that would not be all that is expected."""
    from ampfix.lab import lockfile
    from ampfix.lab.spec import ids

    with _told():
        part = lockfile.locked(report, specs)
        lock = lockfile.merged(read_lock(args), part, ids(args.scenarios_dir))
        lockfile.write(lock, _path(args))
    sys.stderr.write(f"wrote {_path(args)}: {len(lock.scenarios)} scenarios, {len(part.scenarios)} of this run\n")


def _path(args: argparse.Namespace) -> Path:
    from ampfix.lab.lockfile import LOCK_FILE
    from ampfix.lab.spec import scenarios_root

    named: Path | None = args.lock_file
    return named if named is not None else scenarios_root(args.scenarios_dir) / LOCK_FILE


@contextmanager
def _told() -> Iterator[None]:
    from ampfix.lab.lockfile import LockError

    try:
        yield
    except LockError as error:
        raise CommandError(str(error)) from None
