"""`ampfix rule`: print a rule's page."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ampfix.cli._common import CommandError, Exit
from ampfix.rules import all_rules
from ampfix.rules._pages import page, summary


def add_parser(subparsers: Any) -> None:
    """Define the command's arguments."""
    parser = subparsers.add_parser("rule", help="explain a rule")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("code", nargs="?", metavar="CODE", help="a rule's code or name, such as AMP101")
    which.add_argument("--all", action="store_true", help="list every rule")


def run(args: argparse.Namespace) -> int:
    """Print one page, or one line per rule."""
    if args.all:
        for rule in all_rules():
            sys.stdout.write(f"{rule.code}  {rule.name:24}  {rule.severity.value:8}  {summary(rule)}\n")
        return Exit.OK
    wanted = args.code.strip()
    for rule in all_rules():
        if wanted.upper() == rule.code or wanted.lower() == rule.name:
            sys.stdout.write(page(rule))
            return Exit.OK
    raise CommandError(f"no rule is called {wanted!r} (`ampfix rule --all` lists them)")
