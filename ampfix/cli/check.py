"""`ampfix check`: find mixed-precision bugs in files and directories."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ampfix.cli._common import CommandError, Exit, print_error
from ampfix.cli._options import add_paths, add_rules, add_settings, configuration
from ampfix.lint import FileError, Report, UnreadableError, check_bytes, check_paths
from ampfix.lint.config import Configuration

FORMATS = ("full", "concise", "json", "json-lines", "github")


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser("check", help="find mixed-precision bugs in files and directories")
    add_paths(parser)
    add_rules(parser)
    add_settings(parser)
    parser.add_argument("--output-format", choices=FORMATS, default="full", help="how findings are printed")
    parser.add_argument("--output-file", metavar="FILE", help="write the findings there instead of to stdout")
    parser.add_argument("--statistics", action="store_true", help="print counts per rule instead of findings")
    parser.add_argument("--exit-zero", action="store_true", help="exit with 0 even where there are findings")


def run(args: argparse.Namespace) -> int:
    """Check, print, and say by the exit code how it went."""
    report, sources = _check(args, configuration(args))
    text = _statistics(report) if args.statistics else _writer(args.output_format)(report, sources)
    _write(text, args.output_file)
    for error in report.errors:
        print_error(f"{error.path}: {error.message}")
    if report.errors:
        return Exit.ERROR
    return Exit.FINDINGS if report.findings and not args.exit_zero else Exit.OK


def _check(args: argparse.Namespace, settings: Configuration) -> tuple[Report, dict[str, bytes]]:
    """The report, and the bytes of what does not lie in a file."""
    if args.paths != ["-"] and not args.stdin_filename:
        return check_paths(args.paths or ["."], settings), {}
    name, data = args.stdin_filename or "-", sys.stdin.buffer.read()
    try:
        return Report(tuple(check_bytes(data, name, settings.of(Path(name).parent))), files_checked=1), {name: data}
    except UnreadableError as error:
        return Report(errors=(FileError(name, str(error)),)), {}


def _writer(output_format: str) -> Callable[[Report, dict[str, bytes]], str]:
    if output_format == "full":
        from ampfix.report.findings_text import full

        return full
    if output_format == "concise":
        from ampfix.report.findings_text import concise

        return concise
    if output_format == "github":
        from ampfix.report.findings_github import github

        return github
    from ampfix.report.findings_json import as_json, as_json_lines

    return as_json if output_format == "json" else as_json_lines


def _statistics(report: Report) -> str:
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    return "".join(f"{count:5}  {code}  {name}\n" for (code, name), count in counts.most_common())


def _write(text: str, file: str | None) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--output-file {file}: {error.strerror or error}") from None
