"""`ampfix check`: find mixed-precision bugs in files and directories."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ampfix.cli._common import CommandError, Exit, print_error
from ampfix.lint import FileError, Report, Settings, SettingsError, UnreadableError, check_bytes, check_paths
from ampfix.lint.settings import load, torch_floor, validated

FORMATS = ("full", "concise", "json", "json-lines", "github")


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser("check", help="find mixed-precision bugs in files and directories")
    parser.add_argument("paths", nargs="*", default=["."], metavar="PATH", help="files and directories (default: .)")
    add_selection(parser)
    parser.add_argument("--output-format", choices=FORMATS, default="full", help="how findings are printed")
    parser.add_argument("--output-file", metavar="FILE", help="write the findings there instead of to stdout")
    parser.add_argument("--statistics", action="store_true", help="print counts per rule instead of findings")
    parser.add_argument("--exit-zero", action="store_true", help="exit with 0 even where there are findings")
    parser.add_argument("--stdin-filename", metavar="NAME", help="name for the text read from stdin (PATH is then -)")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The options that say which rules are in force, shared with `fix`."""
    group = parser.add_argument_group("rule selection")
    group.add_argument(
        "--select", type=codes, metavar="CODES", help="only these rules, comma-separated; prefixes count"
    )
    group.add_argument("--ignore", type=codes, metavar="CODES", help="leave these rules out")
    group.add_argument("--extend-select", type=codes, metavar="CODES", help="these rules too")
    group.add_argument("--isolated", action="store_true", help="read no pyproject.toml")


def codes(text: str) -> tuple[str, ...]:
    return tuple(code.strip().upper() for code in text.split(",") if code.strip())


def settings_for(args: argparse.Namespace) -> Settings:
    """The settings of the paths' project, overridden by options. Raises CommandError for a setting that is wrong."""
    try:
        project = _project(args.paths)
        settings = Settings() if args.isolated else replace(load(project), torch_floor=torch_floor(project))
        if args.select is not None:
            settings = replace(settings, select=args.select)
        if args.ignore is not None:
            settings = replace(settings, ignore=(*settings.ignore, *args.ignore))
        if args.extend_select is not None:
            settings = replace(settings, extend_select=(*settings.extend_select, *args.extend_select))
        return validated(settings)
    except SettingsError as error:
        raise CommandError(str(error)) from None


def _project(paths: Sequence[str]) -> Path:
    first = Path(paths[0]) if paths and paths[0] != "-" else Path()
    return first if first.is_dir() else first.parent


def run(args: argparse.Namespace) -> int:
    """Check, print, and say by the exit code how it went."""
    settings = settings_for(args)
    report, sources = _check(args, settings)
    text = _statistics(report) if args.statistics else _writer(args.output_format)(report, sources)
    _write(text, args.output_file)
    for error in report.errors:
        print_error(f"{error.path}: {error.message}")
    if report.errors:
        return Exit.ERROR
    return Exit.FINDINGS if report.findings and not args.exit_zero else Exit.OK


def _check(args: argparse.Namespace, settings: Settings) -> tuple[Report, dict[str, bytes]]:
    """The report, and the bytes of what does not lie in a file."""
    if args.paths != ["-"] and not args.stdin_filename:
        return check_paths(args.paths, settings), {}
    name, data = args.stdin_filename or "-", sys.stdin.buffer.read()
    try:
        return Report(tuple(check_bytes(data, name, settings)), files_checked=1), {name: data}
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
