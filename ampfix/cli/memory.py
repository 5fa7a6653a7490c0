"""`ampfix memory`: what training a model takes, by precision."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit

if TYPE_CHECKING:
    from ampfix.hardware.memory import Need

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
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the needs."""
    from ampfix.hardware.memory import needs
    from ampfix.hardware.models import ModelError, build

    try:
        model, inputs = build(args.model)
    except ModelError as error:
        raise CommandError(str(error)) from error
    found = needs(model, inputs, args.optimizer)
    if args.output_format == "json":
        rows = [{**asdict(need), "total": need.total} for need in found]
        sys.stdout.write(json.dumps({"schema": 1, "model": args.model, "needs": rows}, indent=2) + "\n")
        return Exit.OK
    parameters = sum(item.numel() for item in model.parameters())
    sys.stdout.write(f"{args.model}: {parameters:,} parameters, {args.optimizer}\n")
    for need in found:
        sys.stdout.write(f"{need.precision:<18}{_line(need)}\n")
    if not inputs:
        sys.stdout.write("activations: not counted; return (model, inputs) to have them counted\n")
    return Exit.OK


def _line(need: Need) -> str:
    parts = [f"{name} {_size(getattr(need, name))}" for name in ("weights", "gradients", "optimizer", "cast_cache")]
    if need.activations:
        low, high = need.activations
        parts.append(f"activations {_size(low)}" + (f" to {_size(high)}" if high != low else ""))
    return ", ".join(part.replace("_", " ") for part in parts) + f": {_size(need.total)}"


def _size(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
