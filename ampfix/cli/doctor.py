"""`ampfix doctor`: what this machine can run, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ampfix.cli._common import Exit
from ampfix.hardware.machine import Checkup, checkup


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="show what this machine can run, and how to get what is missing",
        description="Show what this machine can run, what is missing and how to get it. "
        "Exits with 1 where a command cannot work at all.",
    )
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Examine the machine and print what was found."""
    found = checkup()
    if args.output_format == "json":
        sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(found))
    return Exit.OK if found.complete else Exit.FINDINGS


def _lines(found: Checkup) -> Iterator[str]:
    machine, isolation = found.machine, found.isolation
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    yield _row("ampfix", found.version)
    yield _row("python", f"{found.python} ({found.executable})")
    yield _row("machine", f"{machine.system}, {machine.cores} cores{memory}, {machine.processor}")
    yield _row("device", f"{found.device.name} ({found.device.detail})")
    layers = f" ({', '.join(isolation.features)})" if isolation.features else ""
    yield _row("isolation", f"{isolation.level}{layers}")
    installed = [f"{package.name} {package.version}" for package in found.packages if package.version]
    yield _row("packages", ", ".join(installed) or "none beyond the base installation")
    for item in found.missing:
        yield _row("missing" if item.blocks else "without", f"{item.what}: {item.consequence}")
        yield _row("", f"-> {item.remedy}")


def _row(label: str, text: str) -> str:
    return f"{label:<10} {text}"
