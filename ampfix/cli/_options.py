"""The options that `check`, `fix` and `server` share: which files, which rules, and where settings come from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ampfix.cli._common import CommandError
from ampfix.lint import SettingsError
from ampfix.lint.cache import FOLDER, Cache, folder_for
from ampfix.lint.config import Configuration
from ampfix.lint.settings import Pattern, PerFileIgnore, Settings
from ampfix.records import replace

CACHE_VARIABLE = "AMPFIX_CACHE_DIR"


def add_paths(parser: argparse.ArgumentParser) -> None:
    """What to look at."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and directories (default: .); - reads one text from stdin"
    )
    group = parser.add_argument_group("file selection")
    group.add_argument("--exclude", type=words, metavar="PATTERNS", help="leave these out instead of the usual ones")
    group.add_argument("--extend-exclude", type=words, default=(), metavar="PATTERNS", help="leave these out too")
    group.add_argument("--force-exclude", action="store_true", help="exclude files named on the command line too")
    group.add_argument("--no-respect-gitignore", action="store_true", help="check what git ignores too")
    group.add_argument("--stdin-filename", metavar="NAME", help="name for the text read from stdin")


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Which rules are in force."""
    group = parser.add_argument_group("rule selection")
    group.add_argument(
        "--select", type=codes, metavar="CODES", help="only these rules, comma-separated; prefixes count"
    )
    group.add_argument("--ignore", type=codes, default=(), metavar="CODES", help="leave these rules out")
    group.add_argument("--extend-select", type=codes, default=(), metavar="CODES", help="these rules too")
    group.add_argument(
        "--per-file-ignores",
        type=per_file,
        default=(),
        metavar="PATTERN:CODE,...",
        help="leave rules out in some files",
    )
    group.add_argument("--fixable", type=codes, metavar="CODES", help="repair only these rules")
    group.add_argument("--unfixable", type=codes, metavar="CODES", help="leave these rules' findings")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Where settings come from."""
    group = parser.add_argument_group("settings").add_mutually_exclusive_group()
    group.add_argument("--config", type=Path, metavar="FILE", help="a TOML file to obey instead of each pyproject.toml")
    group.add_argument("--isolated", action="store_true", help="read no settings file")


def add_effort(parser: argparse.ArgumentParser) -> None:
    """How results are kept and work is shared out."""
    group = parser.add_argument_group("effort")
    group.add_argument("--no-cache", action="store_true", help="neither use nor keep results of earlier runs")
    group.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help=f"where results are kept (default: {FOLDER}, or ${CACHE_VARIABLE})",
    )
    group.add_argument("--jobs", type=count, metavar="N", help="processes to use (default: one per processor)")


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def cache(args: argparse.Namespace) -> Cache | None:
    """The cache the options ask for."""
    if args.no_cache:
        return None
    named = args.cache_dir or os.environ.get(CACHE_VARIABLE)
    return Cache(Path(named) if named else folder_for(Path()))


@contextmanager
def settings_errors() -> Iterator[None]:
    """Settings that turn out to be wrong on the way end the command with one line."""
    try:
        yield
    except SettingsError as error:
        raise CommandError(str(error)) from None


def stdin_name(args: argparse.Namespace) -> str | None:
    """The name of the text on stdin; None where files are meant. Raises CommandError for both at once."""
    named = args.stdin_filename
    if args.paths == ["-"] or (named and args.paths in ([], [named])):
        return named or "-"
    if named or "-" in args.paths:
        raise CommandError(f"{'--stdin-filename' if named else '-'}: stdin cannot be read together with other paths")
    return None


def words(text: str) -> tuple[str, ...]:
    """Comma-separated words."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def codes(text: str) -> tuple[str, ...]:
    """Comma-separated codes, in capitals."""
    return words(text.upper())


def per_file(text: str) -> tuple[PerFileIgnore, ...]:
    """`PATTERN:CODE,PATTERN:CODE`, patterns below the current directory."""
    entries = []
    for pair in words(text):
        glob, colon, code = pair.rpartition(":")
        if not colon or not glob or not code.strip():
            raise argparse.ArgumentTypeError(f"{pair!r} is not PATTERN:CODE, such as 'tests/*:AMP101'")
        entries.append(PerFileIgnore(glob.strip(), (code.strip().upper(),)))
    return tuple(entries)


def configuration(args: argparse.Namespace) -> Configuration:
    """The settings of each folder, changed by the options. Raises CommandError for a setting that is wrong."""
    with settings_errors():
        found = Configuration(isolated=args.isolated, file=args.config, override=lambda base: _override(base, args))
        found.of(Path())  # a wrong option is told even where there is no file to check
        return found


def _override(settings: Settings, args: argparse.Namespace) -> Settings:
    """Options that are given replace a setting, or add to it where they are called `extend` or take something out."""
    return replace(
        settings,
        select=settings.select if args.select is None else args.select,
        ignore=(*settings.ignore, *args.ignore),
        extend_select=(*settings.extend_select, *args.extend_select),
        fixable=settings.fixable if args.fixable is None else args.fixable,
        unfixable=settings.unfixable if args.unfixable is None else args.unfixable,
        exclude=settings.exclude if args.exclude is None else tuple(map(Pattern, args.exclude)),
        extend_exclude=(*settings.extend_exclude, *map(Pattern, args.extend_exclude)),
        per_file_ignores=(*settings.per_file_ignores, *args.per_file_ignores),
        force_exclude=settings.force_exclude or args.force_exclude,
        respect_gitignore=settings.respect_gitignore and not args.no_respect_gitignore,
    )
