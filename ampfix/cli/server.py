"""`ampfix server`: findings, rule pages and quick fixes for editors."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from ampfix.cli._common import Exit
from ampfix.cli._options import add_rules, add_settings, configuration


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser(
        "server", help="serve editors over the Language Server Protocol, on stdin and stdout"
    )
    add_rules(parser)
    add_settings(parser)
    parser.set_defaults(exclude=None, extend_exclude=(), force_exclude=False, no_respect_gitignore=False)


def run(args: argparse.Namespace) -> int:
    """Serve until the editor says exit or closes stdin."""
    configuration(args)  # a wrong option is told at once, not on the first text
    from ampfix.lsp.server import make_server

    make_server(partial(configuration, args)).start_io()
    return Exit.OK
