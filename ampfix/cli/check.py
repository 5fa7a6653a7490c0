"""`ampfix check`: find mixed-precision bugs in files and directories."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ampfix import atomic
from ampfix.cli._common import CommandError, Exit, print_error
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
from ampfix.cli._settings import shown_settings
from ampfix.lint import Report, check_paths
from ampfix.lint.config import Configuration
from ampfix.lint.discover import discover
from ampfix.lint.jobs import processors
from ampfix.lint.run import check_data
from ampfix.report.documents import Documents
from ampfix.report.findings import FORMATS, writer


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser("check", help="find mixed-precision bugs in files and directories")
    add_paths(parser)
    add_rules(parser)
    add_settings(parser)
    add_effort(parser)
    group = parser.add_argument_group("output")
    group.add_argument("--output-format", choices=FORMATS, default="full", help="how findings are printed")
    group.add_argument("--output-file", type=Path, metavar="FILE", help="write the findings there instead of to stdout")
    group.add_argument("--statistics", action="store_true", help="print counts per rule instead of findings")
    group.add_argument("--exit-zero", action="store_true", help="exit with 0 even where there are findings")
    group.add_argument("--show-files", action="store_true", help="list the files that would be checked")
    group.add_argument("--show-settings", action="store_true", help="print the settings of the first path")


def run(args: argparse.Namespace) -> int:
    """Check, print, and say by the exit code how it went."""
    settings = configuration(args)
    with settings_errors():
        if args.show_settings:
            sys.stdout.write(shown_settings(args.paths, settings))
            return Exit.OK
        if args.show_files:
            return _show_files(args, settings)
        report, documents = _check(args, settings)
    _write(_statistics(report) if args.statistics else writer(args.output_format)(report, documents), args.output_file)
    for error in report.errors:
        print_error(f"{error.path}: {error.message}")
    if report.errors:
        return Exit.ERROR
    return Exit.FINDINGS if report.findings and not args.exit_zero else Exit.OK


def _check(args: argparse.Namespace, settings: Configuration) -> tuple[Report, Documents]:
    name = stdin_name(args)
    if name is None:
        report = check_paths(args.paths or ["."], settings, cache(args), args.jobs or processors())
        return report, Documents()
    data = sys.stdin.buffer.read()
    return check_data(data, name, settings.of(Path(name).parent)), Documents({name: data})


def _show_files(args: argparse.Namespace, settings: Configuration) -> int:
    code = Exit.OK
    for candidate in discover(args.paths or ["."], settings.of):
        if candidate.error:
            print_error(f"{candidate.path}: {candidate.error}")
            code = Exit.ERROR
        else:
            sys.stdout.write(f"{candidate.path}\n")
    return code


def _statistics(report: Report) -> str:
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    return "".join(f"{count:5}  {code}  {name}\n" for (code, name), count in counts.most_common())


def _write(text: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        atomic.write(file, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise CommandError(f"--output-file {file}: {error.strerror or error}") from None
