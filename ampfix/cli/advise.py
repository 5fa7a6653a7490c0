"""`ampfix advise`: a dtype and settings for a device, with reasons."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.emulate.profiles import PROFILES

if TYPE_CHECKING:
    from ampfix.hardware.advice import Traits


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "advise",
        help="advise a dtype and settings for a device",
        description="Advise in which dtype to train on a device, with reasons and what is left out.",
    )
    parser.add_argument("--device", choices=sorted(PROFILES), metavar="NAME", help=f"one of {', '.join(PROFILES)}")
    parser.add_argument("--model", metavar="MODULE:FUNCTION", help="returns the model, which is not allocated")
    parser.add_argument("--float16-checkpoint", action="store_true", help="training goes on from float16 weights")
    parser.add_argument("--scientific", action="store_true", help="results are wanted to many digits")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the advice as well")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the advice."""
    from ampfix.hardware.advice import advise

    name, accelerated = _device(args.device)
    advice = advise(name, accelerated, _traits(args))
    if args.html is not None:
        from ampfix.cli._page import write_page
        from ampfix.report.hardware_html import render_advice

        write_page(args.html, render_advice(name, args.model or "", advice))
    if args.output_format == "json":
        told = {"schema": 1, "device": name, **asdict(advice), "settings": list(advice.settings)}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return Exit.OK
    sys.stdout.write(f"{name}: {advice.headline} (confidence: {advice.confidence})\n")
    sys.stdout.writelines(f"    {line}\n" for line in advice.settings)
    sys.stdout.writelines(f"because {reason}\n" for reason in advice.reasons)
    sys.stdout.writelines(f"not {exclusion}\n" for exclusion in advice.exclusions)
    return Exit.OK


def _device(name: str | None) -> tuple[str, frozenset[str]]:
    """A named device, or the one that is there, with the dtypes its tensor cores multiply."""
    if name is not None:
        return name, PROFILES[name].accelerated
    import torch

    if not torch.cuda.is_available():
        raise CommandError(f"no CUDA device here: name one with --device ({', '.join(PROFILES)})")
    from ampfix.hardware.place import here

    place = here()
    return place.name, place.accelerated


def _traits(args: argparse.Namespace) -> Traits:
    from ampfix.hardware.advice import Traits

    if args.model is None:
        return Traits(is_scientific=args.scientific, has_float16_checkpoint=args.float16_checkpoint)
    from ampfix.hardware.models import ModelError, build

    try:
        model, _ = build(args.model)
    except ModelError as error:
        raise CommandError(str(error)) from error
    parameters = list(model.parameters())
    return Traits(
        parameters=sum(item.numel() for item in parameters),
        has_complex=any(item.is_complex() for item in (*parameters, *model.buffers())),
        is_scientific=args.scientific,
        has_float16_checkpoint=args.float16_checkpoint,
    )
