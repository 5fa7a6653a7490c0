"""What every command shares: exit codes, the one way an error is printed, and the parser class.

Imported by `check`, so it stays free of everything heavy.
"""

from __future__ import annotations

import argparse
import sys
from enum import IntEnum
from typing import Any, NoReturn


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FINDINGS = 1
    ERROR = 2
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it
    BROKEN_PIPE = 141  # 128 + SIGPIPE


class CommandError(Exception):
    """A command cannot go on. The message is one line: what happened, to which file or option, and what to do."""


def print_error(message: str) -> None:
    """Write one line to stderr. Line breaks inside the message are folded, so that one error stays one line."""
    sys.stderr.write(f"ampfix: error: {' '.join(message.split())}\n")


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and without abbreviated options, which would turn new options into breakages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Print the message and where help is to be found, then exit with 2."""
        print_error(f"{message} (see `{self.prog} --help`)")
        self.exit(Exit.ERROR)
