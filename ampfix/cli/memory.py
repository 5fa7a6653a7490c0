"""`ampfix memory`: what training a model takes, by precision."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.report.sizes import bytes_text

if TYPE_CHECKING:
    from ampfix.hardware.memory import Measured, Need

_OPTIMIZERS = ("adam", "adamw", "sgd", "momentum", "adafactor")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "memory",
        help="compute what training a model takes in memory, by precision",
        description="Compute what training a model takes in memory, from shapes alone: no weight is allocated.",
    )
    parser.add_argument("model", metavar="MODULE:FUNCTION", help="returns a model, or a pair of it and its inputs")
    parser.add_argument("--optimizer", choices=_OPTIMIZERS, default="adamw", help="default: adamw")
    parser.add_argument("--measure", action="store_true", help="run a step as well, and read the CUDA allocator's peak")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the figures as well")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the needs."""
    from ampfix.hardware.memory import needs
    from ampfix.hardware.models import ModelError, build, errors_of

    try:
        model, inputs = build(args.model)
        with errors_of(args.model):
            found = needs(model, inputs, args.optimizer)
    except ModelError as error:
        raise CommandError(str(error)) from error
    measured = _measured(args) if args.measure else []
    parameters = sum(item.numel() for item in model.parameters())
    if args.html is not None:
        from ampfix.cli._page import write_page
        from ampfix.report.hardware_html import render_memory

        write_page(args.html, render_memory(args.model, parameters, args.optimizer, found, measured))
    if args.output_format == "json":
        rows = [{**asdict(need), "total": need.total} for need in found]
        told = {"schema": 1, "model": args.model, "parameters": parameters, "needs": rows}
        told |= {"measured": [asdict(row) for row in measured]} if args.measure else {}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return Exit.OK
    sys.stdout.write(f"{args.model}: {parameters:,} parameters, {args.optimizer}\n")
    for need in found:
        sys.stdout.write(f"{need.precision:<18}{_line(need)}\n")
    if not inputs:
        sys.stdout.write("activations: not counted; return (model, inputs) to have them counted\n")
    for row in measured:
        figure = f"not measured: {row.reason}" if row.peak is None else f"{bytes_text(row.peak)} ({row.source})"
        sys.stdout.write(f"measured, {row.precision}: {figure}\n")
    return Exit.OK


def _measured(args: argparse.Namespace) -> list[Measured]:
    from ampfix.hardware.memory_measured import measured
    from ampfix.hardware.models import ModelError
    from ampfix.hardware.place import here

    try:
        return measured(args.model, here(), args.optimizer)
    except ModelError as error:
        raise CommandError(str(error)) from error


def _line(need: Need) -> str:
    parts = [
        f"{name} {bytes_text(getattr(need, name))}" for name in ("weights", "gradients", "optimizer", "cast_cache")
    ]
    if need.activations:
        low, high = need.activations
        parts.append(f"activations {bytes_text(low)}" + (f" to {bytes_text(high)}" if high != low else ""))
    return ", ".join(part.replace("_", " ") for part in parts) + f": {bytes_text(need.total)}"
