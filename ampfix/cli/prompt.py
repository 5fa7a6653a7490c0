"""`ampfix prompt`: print what an agent is asked about a scenario."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ampfix.cli._common import CommandError, Exit


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "prompt",
        help="print what an agent is asked about a scenario",
        description="Print the request about a scenario, neutral or under a pressure. --all prints one JSON object a "
        "line for every scenario and pressure, ready to be sent to a model.",
    )
    parser.add_argument("scenario", nargs="?", metavar="ID", help="a scenario (`ampfix suite --list` shows them)")
    parser.add_argument("--pressure", metavar="NAME", default="neutral", help="default: neutral; see --list")
    parser.add_argument("--mode", choices=("review", "patch", "workspace"), default="review", help="default: review")
    parser.add_argument("--list", action="store_true", help="show the pressures")
    parser.add_argument("--all", action="store_true", help="every scenario and pressure as JSON lines")
    parser.add_argument(
        "--scenarios-dir", type=Path, metavar="DIR", help="where the scenarios lie (default: ampfix's own)"
    )


def run(args: argparse.Namespace) -> int:
    """Print what was asked for."""
    from ampfix.agents.answers import Mode
    from ampfix.agents.pressures import PRESSURES
    from ampfix.agents.prompts import render
    from ampfix.lab.spec import SpecError, all_specs, find

    if args.list:
        width = max(map(len, PRESSURES))
        for pressure in PRESSURES.values():
            sys.stdout.write(f"{pressure.id:<{width}}  {pressure.title}\n")
        return Exit.OK
    if args.pressure not in PRESSURES:
        raise CommandError(f"--pressure {args.pressure}: expected one of {', '.join(PRESSURES)}")
    if args.scenario is None and not args.all:
        raise CommandError("which scenario? Name one, or give --all or --list")
    try:
        specs = [find(args.scenario, args.scenarios_dir)] if args.scenario else all_specs(args.scenarios_dir)
    except SpecError as error:
        raise CommandError(str(error)) from error
    mode = Mode(args.mode)
    if not args.all:
        sys.stdout.write(render(specs[0], args.pressure, mode).text)
        return Exit.OK
    for spec in specs:
        for name in PRESSURES:
            sys.stdout.write(json.dumps(render(spec, name, mode).model_dump(mode="json", by_alias=True)) + "\n")
    return Exit.OK
