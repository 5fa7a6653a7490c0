"""`ampfix formats`: ranges and precision of the number formats."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ampfix.cli._common import Exit
from ampfix.hardware.formats import FORMATS

_COLUMNS = ("name", "bits", "largest", "smallest_normal", "smallest_subnormal", "epsilon", "digits", "integers_up_to")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "formats",
        help="show ranges and precision of the number formats",
        description="Show ranges and precision of float32, TF32, float16, bfloat16 and the 8-bit formats.",
    )
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    rows = [item.figures() for item in FORMATS]
    if args.output_format == "json":
        sys.stdout.write(json.dumps({"schema": 1, "formats": rows}, indent=2) + "\n")
        return Exit.OK
    table = [[column.replace("_", " ") for column in _COLUMNS]]
    table += [[_text(row[column]) for column in _COLUMNS] for row in rows]
    widths = [max(len(line[index]) for line in table) for index in range(len(_COLUMNS))]
    for line in table:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
    return Exit.OK


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
