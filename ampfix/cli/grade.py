"""`ampfix grade`: run an answer to a scenario in a jail, and judge what it trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli._lab import add_options, checked_secret, new_runner, output

if TYPE_CHECKING:
    from ampfix.lab.spec import ScenarioSpec
    from ampfix.lab.submission import InvalidAnswer, Submission
    from ampfix.lab.verdict import Verdict

    Answer = tuple[Submission | InvalidAnswer, ScenarioSpec]


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "grade",
        help="run an answer to a scenario and judge it",
        description="Run answers on fresh secret seeds and judge the weights they train. An answer is the loop as a "
        ".py file, or Markdown with one Python block. Exits with 0 where all pass, 1 where one does not, 2 where one "
        "could not be judged.",
    )
    parser.add_argument(
        "answers",
        nargs="+",
        type=Path,
        metavar="ANSWER",
        help="a .py file, Markdown with a code block, or a .jsonl file of {scenario_id, answer} lines",
    )
    parser.add_argument(
        "--scenario",
        metavar="ID",
        help="the scenario answered (default: the one whose folder holds the file, or that its "
        "`# ampfix-scenario: ID` comment names)",
    )
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Grade every answer and print the verdicts."""
    from ampfix.lab.bench import Bench
    from ampfix.lab.grade import GradeReport, grade_on
    from ampfix.lab.seeds import new_secret
    from ampfix.lab.session import Session

    secret = checked_secret(args) or new_secret()
    answers = [answer for path in args.answers for answer in _read(path, args)]
    with new_runner(args) as runner, Bench(runner) as bench:
        verdicts = tuple(grade_on(Session(bench, spec, secret), answer) for answer, spec in answers)
    with output(args) as stream:
        if args.output_format == "json":
            stream.write(GradeReport(verdicts=verdicts).to_json() + "\n")
        else:
            from ampfix.report import verdict_text

            verdict_text.write(verdicts, stream)
    return _exit_code(verdicts)


def _read(path: Path, args: argparse.Namespace) -> list[Answer]:
    """The answers in a file. Raises CommandError."""
    from ampfix.lab import predictions
    from ampfix.lab.spec import SpecError, find

    try:
        if path.suffix != predictions.SUFFIX:
            return [_read_one(path, args)]
        return [(answer, find(name, args.scenarios_dir)) for name, answer in predictions.read(path)]
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SpecError, predictions.PredictionError) as error:
        raise CommandError(str(error)) from error


def _read_one(path: Path, args: argparse.Namespace) -> Answer:
    from ampfix.lab.submission import InvalidAnswer, read

    answer: Submission | InvalidAnswer
    try:
        answer = read(path)
    except InvalidAnswer as invalid:
        answer = invalid
    return answer, _scenario(path, answer, args)


def _scenario(path: Path, answer: Submission | InvalidAnswer, args: argparse.Namespace) -> ScenarioSpec:
    """Which scenario an answer is for: --scenario, its header comment, or the folder it lies in."""
    from ampfix.lab.spec import find, owner_of

    named = args.scenario or getattr(answer, "scenario_id", None) or owner_of(path, args.scenarios_dir)
    if named is None:
        raise CommandError(f"{path}: which scenario does it answer? Name it with --scenario ID")
    return find(named, args.scenarios_dir)


def _exit_code(verdicts: tuple[Verdict, ...]) -> int:
    statuses = {verdict.status.value for verdict in verdicts}
    if "infra_error" in statuses:
        return Exit.ERROR
    return Exit.OK if statuses == {"pass"} else Exit.FINDINGS
