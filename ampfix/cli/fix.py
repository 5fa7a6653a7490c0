"""`ampfix fix`: repair what `check` finds, and say why the rest stays."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ampfix.cli._common import Exit, print_error
from ampfix.cli._options import (
    add_effort,
    add_paths,
    add_rules,
    add_settings,
    cache,
    configuration,
    settings_errors,
    stdin_name,
)
from ampfix.codemods.edits import split_lines
from ampfix.codemods.files import WriteError, encode_as, write_source
from ampfix.codemods.repair import Repaired, repair
from ampfix.findings import Applicability
from ampfix.lint import Settings, UnreadableError, check_paths
from ampfix.lint.config import Configuration
from ampfix.lint.jobs import processors
from ampfix.lint.prefilter import is_worth_checking
from ampfix.lint.project import Project
from ampfix.lint.read import read_bytes
from ampfix.report.findings_text import place


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser("fix", help="repair what check finds")
    add_paths(parser)
    add_rules(parser)
    add_settings(parser)
    add_effort(parser)
    parser.add_argument("--diff", action="store_true", help="print the changes as a diff and write nothing")
    parser.add_argument(
        "--unsafe-fixes", action="store_true", help="make repairs too that may change what you want the loop to do"
    )


@dataclass(frozen=True)
class File:
    """A file with findings: as it was read, and what became of it."""

    name: str
    data: bytes
    repaired: Repaired


def run(args: argparse.Namespace) -> int:
    """Repair, or show the repairs. 0: nothing remains. 1: findings remain, or the diff has changes. 2: an error."""
    settings = configuration(args)
    name = stdin_name(args)
    with settings_errors():
        files, failed = _repair_stdin(name, args, settings) if name else _repair_paths(args, settings)
    # Results go to stdout. Where that is a diff or the repaired text, it stands alone, so that it can be piped.
    _report(files, args.diff, sys.stderr if args.diff or name else sys.stdout)
    if failed:
        return Exit.ERROR
    open_end = any(file.repaired.unfixed or (args.diff and file.repaired.changed) for file in files)
    return Exit.FINDINGS if open_end else Exit.OK


def _repair_paths(args: argparse.Namespace, settings: Configuration) -> tuple[list[File], bool]:
    report = check_paths(args.paths or ["."], settings, cache(args), args.jobs or processors())
    for unread in report.errors:
        print_error(f"{unread.path}: {unread.message}")
    failed = bool(report.errors)
    files: list[File] = []
    project = Project()
    for name in dict.fromkeys(finding.path for finding in report.findings):
        path = Path(name)
        try:
            file = _repaired(name, read_bytes(path), args, settings.of(path.parent), project)
            if file is None:
                continue
            if file.repaired.changed and not args.diff:
                write_source(path, file.data, file.repaired.after)
                project.forget(name)
            files.append(file)
        except (UnreadableError, WriteError) as error:
            print_error(f"{name}: {error}")
            failed = True
    return files, failed


def _repair_stdin(name: str, args: argparse.Namespace, settings: Configuration) -> tuple[list[File], bool]:
    """Repair the text on stdin. Without --diff stdout gets the text, repaired or as it came."""
    data = sys.stdin.buffer.read()
    failed, file = False, None
    try:
        file = _repaired(name, data, args, settings.of(Path(name).parent), Project())
        result = encode_as(data, file.repaired.after) if file else data
    except (UnreadableError, WriteError) as error:
        print_error(f"{name}: {error}")
        failed, result = True, data
    if not args.diff:
        sys.stdout.flush()
        sys.stdout.buffer.write(result)
    return [file] if file else [], failed


def _repaired(name: str, data: bytes, args: argparse.Namespace, settings: Settings, project: Project) -> File | None:
    """None for a file without findings."""
    if not is_worth_checking(data, name, settings):
        return None
    allowed = {Applicability.SAFE, Applicability.UNSAFE} if args.unsafe_fixes else {Applicability.SAFE}
    repaired = repair(data, name, settings, allowed, project)
    return File(name, data, repaired) if repaired is not None else None


def _report(files: list[File], diff: bool, notes: TextIO) -> None:
    for file in files:
        repaired = file.repaired
        if diff and repaired.changed:
            sys.stdout.write(unified_diff(file.name, repaired.before, repaired.after))
        elif repaired.changed:
            counts = Counter(f"{finding.code} {finding.name}" for finding in repaired.fixed)
            told = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
            notes.write(f"{file.name}: fixed {told}\n")
    for file in files:
        for unfixed in file.repaired.unfixed:
            finding = unfixed.finding
            notes.write(f"{place(finding)}: {finding.code} {finding.message}\n    not fixed: {unfixed.reason}\n")
    fixed = sum(len(file.repaired.fixed) for file in files)
    left = sum(len(file.repaired.unfixed) for file in files)
    verb = "would be fixed" if diff else "fixed"
    notes.write(f"{_count(fixed)} {verb}, {left} left.\n" if fixed or left else "No findings.\n")


def _count(number: int) -> str:
    return f"{number} finding" if number == 1 else f"{number} findings"


def unified_diff(name: str, before: str, after: str) -> str:
    """A diff that `patch -p0` and `git apply -p0` accept."""
    shown = Path(name).as_posix()
    lines = difflib.unified_diff(split_lines(before), split_lines(after), shown, shown)
    return "".join(_ended(lines))


def _ended(lines: Iterable[str]) -> Iterable[str]:
    """A last line without a newline says so, as `diff` does; otherwise it would run into the next one."""
    for line in lines:
        yield line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"
