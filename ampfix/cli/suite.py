"""`ampfix suite`: run scenarios, and say whether execution shows what each claims."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli import _lock
from ampfix.cli._common import CommandError, Exit
from ampfix.cli._lab import add_options, checked_secret, new_runner, output, show_progress

if TYPE_CHECKING:
    from ampfix.lab.runner import Runner
    from ampfix.lab.spec import ScenarioSpec
    from ampfix.lab.suite import SuiteReport


FORMATS = ("text", "json", "junit")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "suite",
        help="run the scenarios: broken, gold, repaired and reference loops",
        description="Run each scenario's broken, gold, repaired and fp32 reference loop on fresh secret seeds. Exits "
        "with 1 where execution does not show what a scenario claims, or a verdict is not the locked one.",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="scenarios to run (default: all)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--validate", action="store_true", help="run the recorded answers too, and hold each to its verdict"
    )
    mode.add_argument(
        "--calibrate", action="store_true", help="measure thresholds on 64 seeds and write calibration.json"
    )
    mode.add_argument(
        "--update", action="store_true", help="as --validate, and write the verdicts to the lock file; named "
        "scenarios and shards are merged into it",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=_positive, default=1, metavar="N", help="run everything N times on fresh secrets"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the result as a page, too")
    _lock.add_options(parser)
    add_options(parser, FORMATS)


def run(args: argparse.Namespace) -> int:
    """Run the scenarios and print what came out."""
    from ampfix.lab.spec import SpecError, all_specs, find

    secret = checked_secret(args)
    _lock.check_options(args)
    try:
        specs = [find(name, args.scenarios_dir) for name in dict.fromkeys(args.ids)] or all_specs(args.scenarios_dir)
    except SpecError as error:
        raise CommandError(str(error)) from error
    if not specs:
        raise CommandError("no scenario found: --scenarios-dir must hold folders with a scenario.toml")
    specs = _lock.share_of(args, specs)
    return _calibrate(args, specs) if args.calibrate else _run(args, specs, secret)


def _run(args: argparse.Namespace, specs: list[ScenarioSpec], secret: str | None) -> int:
    from ampfix.lab.suite import run_suite

    with new_runner(args) as runner:
        specs = _fitting(specs, runner)
        validate = [spec.id for spec in specs] if args.validate or args.update else []
        report = run_suite(
            specs,
            runner=runner,
            validate=validate,
            repeats=args.repeats,
            secret=secret,
            on_progress=show_progress,
        )
    if args.locked:
        report = _lock.held_to_lock(args, report, specs)
    _write(args, report)
    if args.update and report.ok:
        _lock.update(args, report, specs)
    return _exit_code(report)


def _exit_code(report: SuiteReport) -> int:
    verdicts = (judged.verdict for scenario in report.scenarios for judged in scenario.verdicts)
    if not report.ok and any(verdict.status.value == "infra_error" for verdict in verdicts):
        return Exit.ERROR
    return Exit.OK if report.ok else Exit.FINDINGS


def _fitting(specs: list[ScenarioSpec], runner: Runner) -> list[ScenarioSpec]:
    """The scenarios that the runner's device can show; the others are told on stderr."""
    from ampfix.lab.gpu import misfit

    if runner.gpu is None:
        return specs
    reasons = {spec.id: misfit(spec, runner.gpu) for spec in specs}
    for name, reason in reasons.items():
        if reason:
            sys.stderr.write(f"ampfix: {name} left out: {reason}\n")
    return [spec for spec in specs if not reasons[spec.id]]


def _write(args: argparse.Namespace, report: SuiteReport) -> None:
    with output(args) as stream:
        if args.output_format == "json":
            stream.write(report.to_json() + "\n")
        elif args.output_format == "junit":
            from ampfix.report import suite_junit

            stream.write(suite_junit.junit(report))
        else:
            from ampfix.report import suite_text

            suite_text.write(report, stream)
    if args.html is not None:
        from ampfix.report import suite_html

        try:
            suite_html.write(report, args.html)
        except OSError as error:
            raise CommandError(f"{args.html}: cannot be written: {error.strerror}") from error


def _calibrate(args: argparse.Namespace, specs: list[ScenarioSpec]) -> int:
    from ampfix.lab.calibration import calibrate

    refused = 0
    with new_runner(args) as runner, output(args) as stream:
        for spec in specs:
            calibration = calibrate(spec, runner=runner)
            refused += bool(calibration.problems)
            for line in calibration.lines():
                stream.write(f"{spec.id}: {line}\n")
    return Exit.FINDINGS if refused else Exit.OK


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
