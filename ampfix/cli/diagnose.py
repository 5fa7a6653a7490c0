"""`ampfix diagnose`: run a training script as written, in fp32 and repaired, and name one cause."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli.watch import script_of

if TYPE_CHECKING:
    from ampfix.hardware.diagnosis import Diagnosis

_OUT = Path("ampfix-diagnosis")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "diagnose",
        help="run a training script in several ways and name one cause",
        description="Run a training script as written, in fp32 and, where a repair is known, repaired, and name one "
        "cause with its evidence. Exits with 1 where a precision problem is found.",
        usage="ampfix diagnose [options] -- SCRIPT [ARGS...]\n       ampfix diagnose [options] -m MODULE [ARGS...]",
    )
    parser.add_argument("--out", type=Path, default=_OUT, metavar="DIR", help=f"folder of records (default: {_OUT})")
    parser.add_argument("--emulate", choices=("cuda",), help="run a CUDA script on the CPU, with CUDA's numerics")
    parser.add_argument("--profile", default="A100", metavar="NAME", help="device to emulate (default: A100)")
    parser.add_argument(
        "--stress", action="store_true", help="where nothing is found, again with outliers and tiny values in batches"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the evidence as well")
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module")
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="SCRIPT", help="the script and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run the script in its ways and print the cause."""
    from ampfix.hardware.diagnosis import NOT_PRECISION, STRESS, NothingTrained, diagnose

    script, profile = script_of(args), args.profile if args.emulate else None
    try:
        out = args.out
        found = diagnose(script, out, profile)
        sys.stdout.writelines(f"{line}\n" for line in _lines(found))
        if args.stress and found.cause == NOT_PRECISION:
            out = args.out / "stress"
            found = diagnose(script, out, profile, STRESS)
            sys.stdout.writelines(f"under stress: {line}\n" for line in _lines(found))
    except NothingTrained as error:
        raise CommandError(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{args.out}: {error}") from error
    if args.html is not None:
        from ampfix.cli._page import write_page
        from ampfix.report import diagnose_html

        write_page(args.html, diagnose_html.render(found, out, " ".join(script.command)))
    return Exit.OK if found.cause == NOT_PRECISION else Exit.FINDINGS


def _lines(found: Diagnosis) -> Iterator[str]:
    yield from found.reasons
    alarm = found.alarm
    if alarm is None:
        yield f"cause: {found.cause or 'not known: AMP ends worse than fp32, and nothing it does tells why'}"
        return
    yield f"cause: {found.cause or 'see the symptom'} {alarm.name}, {alarm.path}:{alarm.line}, step {alarm.step}"
    yield f"       {alarm.message}"
    if alarm.advice and not alarm.code:
        yield f"       {alarm.advice}"
    if found.repaired is None:
        yield "repair: none known to `ampfix fix`; see `ampfix rule`" if found.cause else "repair: none"
    else:
        loss = "no loss" if found.repaired.loss is None else f"{found.repaired.loss:.4g}"
        proof = "proven: it ends where fp32 does" if found.proven else "not proven: it does not end where fp32 does"
        yield f"repair: `ampfix fix --unsafe-fixes --select {found.cause}`, run again: loss {loss}; {proof}"
