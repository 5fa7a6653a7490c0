"""`ampfix watch`: run a training script and say what goes wrong in it while it runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ampfix.hardware.watching import Replay, Watched
    from ampfix.watch.monitor import Companion

_OUT = Path("ampfix-watch")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "watch",
        help="run a training script and say what goes wrong in it while it runs",
        description="Run a training script, unedited, and tell mixed-precision bugs as they happen. The exit code is "
        "the script's own.",
        usage="ampfix watch [options] -- SCRIPT [ARGS...]\n       ampfix watch [options] -m MODULE [ARGS...]",
    )
    parser.add_argument("--out", type=Path, default=_OUT, metavar="DIR", help=f"folder of the record (default: {_OUT})")
    parser.add_argument("--emulate", choices=("cuda",), help="run a CUDA script on the CPU, with CUDA's numerics")
    parser.add_argument("--profile", default="A100", metavar="NAME", help="device to emulate (default: A100)")
    parser.add_argument(
        "--precision",
        choices=("as-written", "fp32"),
        default="as-written",
        help="fp32: with autocast and scalers switched off (default: as-written)",
    )
    parser.add_argument(
        "--replay", action="store_true", help="where a step goes wrong for good, run the script again and trace it"
    )
    parser.add_argument(
        "--ranges", action="store_true", help="take histograms of activations and their gradients in some steps"
    )
    parser.add_argument(
        "--stress", action="store_true", help="feed the loop batches with outliers and tiny values now and then"
    )
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write curves for TensorBoard as well")
    parser.add_argument("--html", type=Path, metavar="FILE", help="draw the record as a page as well")
    parser.add_argument("--trace-step", type=int, metavar="N", help="trace attempt N op by op and stop there")
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module")
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="SCRIPT", help="the script and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run the script and print what it came to."""
    from ampfix.hardware.watching import replay, watch_script

    script = script_of(args)
    profile = args.profile if args.emulate else None
    companions = list(_companions(args))
    try:
        watched = watch_script(script, args.out, profile, args.trace_step, args.precision, companions)
    except ValueError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{args.out}: the record cannot be written: {error.strerror or error}") from error
    again = None
    if args.replay and watched.first_bad_step is not None and watched.code != Exit.INTERRUPTED:
        again = replay(script, watched, profile, ("--stress",) if args.stress else ())
    if args.trace_step is None:
        sys.stderr.writelines(f"ampfix: {line}\n" for line in (*_advice(companions), *_lines(watched, again)))
    if args.html is not None:
        from ampfix.cli._page import write_page
        from ampfix.report import watch_html

        write_page(args.html, watch_html.render(args.out))
    return watched.code


def _companions(args: argparse.Namespace) -> Iterator[Companion]:
    from ampfix.watch.board import Board
    from ampfix.watch.scale_advice import Ranges
    from ampfix.watch.stress import Stress

    if args.ranges:
        yield Ranges()
    if args.stress:
        yield Stress()
    if args.tensorboard is not None:
        try:
            yield Board(args.tensorboard)
        except ImportError as error:
            raise CommandError("--tensorboard: TensorBoard is not installed: pip install tensorboard") from error


def _advice(companions: Sequence[Companion]) -> Iterator[str]:
    from ampfix.watch.scale_advice import Ranges

    for companion in companions:
        if isinstance(companion, Ranges):
            yield from companion.lines()


def script_of(args: argparse.Namespace) -> Any:
    from ampfix.hardware.watching import Script

    words = args.module if args.module is not None else list(args.script)
    if args.module is None and words[:1] == ["--"]:
        words = words[1:]
    module = args.module is not None
    if not module and words[:1] == ["-m"]:
        module, words = True, words[1:]
    if not words:
        raise CommandError("no script: give one behind --, as in `ampfix watch -- train.py`")
    if not module and not Path(words[0]).is_file():
        raise CommandError(f"{words[0]}: no such file")
    return Script(words[0], tuple(words[1:]), module)


def _lines(watched: Watched, again: Replay | None) -> list[str]:
    told = watched.summary
    lines = [
        f"{told['attempts']} steps attempted, {told['applied']} applied, {told['skipped']} skipped; "
        f"{_listed(told)}{len(watched.alarms)} alarm{'s' if len(watched.alarms) != 1 else ''}"
    ]
    if again is not None:
        exact = "its losses were the same bit by bit" if again.exact else "its losses differed: set a seed"
        lines.append(f"replayed {again.steps} steps; {exact}")
        for alarm in again.alarms:
            code = f"{alarm['code']} " if alarm.get("code") else ""
            lines.append(f"{alarm.get('path', '')}:{alarm.get('line', 0)}: {code}{alarm['name']}: {alarm['message']}")
    if watched.record is not None:
        lines.append(f"record: {watched.record}")
    return lines


def _listed(told: dict[str, Any]) -> str:
    total = sum(told["flops"].values())
    if not total:
        return ""
    shares = ", ".join(f"{value / total:.0%} {name}" for name, value in told["flops"].items())
    return f"work: {shares}; "
