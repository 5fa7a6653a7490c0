"""`ampfix profile`: what each precision gains a training step on this device."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli.watch import script_of
from ampfix.emulate.profiles import PROFILES

if TYPE_CHECKING:
    from ampfix.hardware.profile.results import Profile

_SCRIPT_WARM_UP, _SCRIPT_STEPS = 12, 20


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "profile",
        help="measure what each precision gains a training step here",
        description="Measure a full training step in IEEE float32, TF32, float16 with a scaler and bfloat16, in turn, "
        "with intervals, and what its work consists of. What this device cannot show is said to be not measured.",
        usage="ampfix profile [options] MODULE:FUNCTION\n       ampfix profile [options] -- SCRIPT [ARGS...]\n"
        "       ampfix profile [options] -m MODULE [ARGS...]\n       ampfix profile --matmul",
    )
    parser.add_argument("--rounds", type=_count, default=4, metavar="N", help="of two passes each (default: 4)")
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S", help="MODULE:FUNCTION: time to measure for (default: 30)"
    )
    parser.add_argument("--compile", action="store_true", help="MODULE:FUNCTION: compiled arms too")
    parser.add_argument(
        "--predict", choices=sorted(PROFILES), metavar="NAME",
        help=f"MODULE:FUNCTION: work out the bounds of a GPU that is not here, one of {', '.join(PROFILES)}",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up", type=_count, default=_SCRIPT_WARM_UP, metavar="N",
        help=f"SCRIPT: steps before the clock starts (default: {_SCRIPT_WARM_UP})",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=_count, default=_SCRIPT_STEPS, metavar="N",
        help=f"SCRIPT: steps that are timed in each run (default: {_SCRIPT_STEPS})",
    )  # fmt: skip
    parser.add_argument("--matmul", action="store_true", help="how fast this device multiplies, by size and layout")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the figures as well")
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module")
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="TARGET", help="a function or a script")
    parser.set_defaults(parse=parser.parse_args)


def _count(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError("at least 2 are needed")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure, and print what was found."""
    if _is_function(args.script) and args.module is None:
        # Behind a script stand its own arguments; a function has none, so what stands there are more options.
        target, *options = args.script
        args = args.parse([*options, target], argparse.Namespace(**{**vars(args), "script": []}))
    found = _profile(args)
    if args.html is not None:
        from ampfix.cli._page import write_page
        from ampfix.report import profile_html

        write_page(args.html, profile_html.render(found))
    if args.output_format == "json":
        sys.stdout.write(found.to_json() + "\n")
        return Exit.OK
    from ampfix.report import profile_text

    profile_text.write(found, sys.stdout)
    return Exit.OK


def _is_function(words: list[str]) -> bool:
    """Whether these begin with MODULE:FUNCTION."""
    return bool(words) and ":" in words[0] and not Path(words[0]).is_file()


def _profile(args: argparse.Namespace) -> Profile:
    from ampfix.hardware.models import ModelError
    from ampfix.hardware.place import here
    from ampfix.hardware.profile import modelled, scripted
    from ampfix.hardware.profile.workload import build

    words = args.script[1:] if args.script[:1] == ["--"] else args.script
    place = here()
    if args.matmul:
        if words or args.module:
            raise CommandError("--matmul: measures the device alone: leave the target away")
        return modelled.profile_matmul(place)
    effort = modelled.Effort(args.seconds, args.rounds, args.compile, args.predict)
    try:
        if len(words) == 1 and args.module is None and _is_function(words):
            return modelled.profile_model(words[0], build(words[0], place.device), place, effort)
        if args.compile or args.predict:
            raise CommandError("--compile and --predict: need MODULE:FUNCTION: a script is run as it is")
        return scripted.profile_script(script_of(args), place, effort, args.warm_up, args.steps)
    except (ModelError, scripted.ScriptError) as error:
        raise CommandError(str(error)) from error
