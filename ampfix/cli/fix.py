"""`ampfix fix`: repair what `check` finds, and say why the rest stays."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ampfix.cli._common import Exit, print_error
from ampfix.cli._options import add_paths, add_rules, add_settings, configuration
from ampfix.codemods.edits import split_lines
from ampfix.codemods.files import WriteError, write_source
from ampfix.codemods.fixpoint import Outcome, fix_text
from ampfix.findings import Applicability, Finding
from ampfix.lint import Settings, UnreadableError, check_source
from ampfix.lint.discover import discover
from ampfix.lint.prefilter import worth_parsing
from ampfix.lint.read import decode, read_bytes


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser("fix", help="repair what check finds")
    add_paths(parser)
    add_rules(parser)
    add_settings(parser)
    parser.add_argument("--diff", action="store_true", help="print the changes as a diff and write nothing")
    parser.add_argument(
        "--unsafe-fixes", action="store_true", help="make repairs too that may change what you want the loop to do"
    )


@dataclass(frozen=True)
class Repaired:
    """One file with findings: as it was read, and what became of it."""

    path: Path
    data: bytes
    before: str
    outcome: Outcome

    @property
    def changed(self) -> bool:
        return self.outcome.text != self.before


def run(args: argparse.Namespace) -> int:
    """Repair, or show the repairs. 0: nothing remains. 1: findings remain, or the diff has changes. 2: an error."""
    settings = configuration(args)
    failed = False
    files: list[Repaired] = []
    for candidate in discover(args.paths or ["."], settings.of):
        try:
            if candidate.error:
                raise UnreadableError(candidate.error)
            repaired = _repair(candidate.path, args, candidate.settings)
            if repaired is None:
                continue
            if repaired.changed and not args.diff:
                write_source(repaired.path, repaired.data, repaired.outcome.text)
            files.append(repaired)
        except (UnreadableError, WriteError) as error:
            print_error(f"{candidate.path}: {error}")
            failed = True
    _report(files, args.diff)
    if failed:
        return Exit.ERROR
    open_end = any(file.outcome.unfixed or (args.diff and file.changed) for file in files)
    return Exit.FINDINGS if open_end else Exit.OK


def _repair(path: Path, args: argparse.Namespace, settings: Settings) -> Repaired | None:
    """None for a file without findings."""
    name = str(path)
    data = read_bytes(path)
    if not worth_parsing(data, settings.rules_for(name)):
        return None
    before = decode(data)
    allowed = {Applicability.SAFE, Applicability.UNSAFE} if args.unsafe_fixes else {Applicability.SAFE}
    check = partial(check_source, path=name, settings=settings)
    outcome = fix_text(before, check, allowed, settings.is_fixable)
    return Repaired(path, data, before, outcome) if outcome.fixed or outcome.unfixed else None


def _report(files: list[Repaired], diff: bool) -> None:
    """Results to stdout. With a diff that is the diff alone, so that it can be piped; the rest goes to stderr."""
    notes = sys.stderr if diff else sys.stdout
    for file in files:
        if diff and file.changed:
            sys.stdout.write(unified_diff(file.path, file.before, file.outcome.text))
        elif file.changed:
            counts = Counter(f"{finding.code} {finding.name}" for finding in file.outcome.fixed)
            told = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
            notes.write(f"{file.path}: fixed {told}\n")
    for file in files:
        for unfixed in file.outcome.unfixed:
            notes.write(_line(unfixed.finding) + f"\n    not fixed: {unfixed.reason}\n")
    fixed = sum(len(file.outcome.fixed) for file in files)
    left = sum(len(file.outcome.unfixed) for file in files)
    verb = "would be fixed" if diff else "fixed"
    notes.write(f"{_count(fixed)} {verb}, {left} left.\n" if fixed or left else "No findings.\n")


def _count(number: int) -> str:
    return f"{number} finding" if number == 1 else f"{number} findings"


def _line(finding: Finding) -> str:
    start = finding.span.start
    return f"{finding.path}:{start.line}:{start.column}: {finding.code} {finding.message}"


def unified_diff(path: Path, before: str, after: str) -> str:
    """A diff that `patch -p0` and `git apply -p0` accept."""
    lines = difflib.unified_diff(split_lines(before), split_lines(after), str(path), str(path))
    return "".join(_ended(lines))


def _ended(lines: Iterable[str]) -> Iterable[str]:
    """A last line without a newline says so, as `diff` does; otherwise it would run into the next one."""
    for line in lines:
        yield line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"
