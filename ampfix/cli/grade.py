"""`ampfix grade`: run answers to scenarios in a jail, and judge what they trained."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli._lab import (
    add_executor_options,
    add_options,
    checked_secret,
    new_executor,
    new_runner,
    output,
    show_progress,
)

if TYPE_CHECKING:
    from ampfix.agents.grading import Graded
    from ampfix.lab.runner import Runner
    from ampfix.lab.spec import ScenarioSpec
    from ampfix.lab.submission import InvalidAnswer, Submission
    from ampfix.lab.verdict import Verdict

PREDICTIONS = ".jsonl"


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "grade",
        help="run an answer to a scenario and judge it",
        description="Run answers on fresh secret seeds and judge the weights they train. An answer is a whole loop, a "
        "unified diff, Markdown with code, pieces of code, or JSON. Exits with 0 where all pass, 1 where one does "
        "not, 2 where one could not be judged.",
    )
    parser.add_argument(
        "answers",
        nargs="+",
        type=Path,
        metavar="ANSWER",
        help="a .py file (the whole loop), a text (Markdown, diff, JSON), or a .jsonl file of predictions: "
        "{scenario_id, model_name_or_path, answer or patch} a line",
    )
    parser.add_argument(
        "--scenario",
        metavar="ID",
        help="the scenario answered (default: the one whose folder holds the file, or that its "
        "`# ampfix-scenario: ID` comment names)",
    )
    parser.add_argument(
        "--mode",
        choices=("review", "patch", "workspace"),
        help="what was asked for: a review may leave the loop as it is",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="keep verdicts and results there; a grading that was interrupted goes on where it stopped",
    )
    add_options(parser)
    add_executor_options(parser)


def run(args: argparse.Namespace) -> int:
    """Grade every answer and print the verdicts."""
    from ampfix.lab.grade import GradeReport

    statuses: set[str] = set()
    with output(args) as stream:
        verdicts = _noted(_verdicts(args), statuses)
        if args.output_format == "json":
            stream.write(GradeReport(verdicts=tuple(verdicts)).to_json() + "\n")
        else:
            from ampfix.report import verdict_text

            verdict_text.write(verdicts, stream)
    return _exit_code(statuses)


def _noted(verdicts: Iterator[Verdict], statuses: set[str]) -> Iterator[Verdict]:
    """The verdicts as they come; their statuses are kept."""
    for verdict in verdicts:
        statuses.add(verdict.status.value)
        yield verdict


def _verdicts(args: argparse.Namespace) -> Iterator[Verdict]:
    """The verdicts on all answers, in the order they were given. Raises CommandError."""
    from ampfix.lab.seeds import new_secret
    from ampfix.lab.spec import SpecError

    given = checked_secret(args)
    alone = [path for path in args.answers if path.suffix != PREDICTIONS]
    read = {path: _read_one(path, args) for path in alone}  # what cannot be read is told before anything runs
    secret = given or new_secret()
    with ExitStack() as stack:
        runner = stack.enter_context(new_runner(args)) if alone else None
        for path in args.answers:
            if runner is not None and path in read:
                yield _grade_one(runner, *read[path], secret)
                continue
            try:
                yield from (graded.verdict for graded in _grade_lines(path, args, given))
            except SpecError as error:
                raise CommandError(str(error)) from error


def _grade_one(runner: Runner, answer: Submission | InvalidAnswer, spec: ScenarioSpec, secret: str) -> Verdict:
    from ampfix.lab.bench import Bench
    from ampfix.lab.grade import grade_on
    from ampfix.lab.session import Session

    with Bench(runner) as bench:
        verdict = grade_on(Session(bench, spec, secret), answer)
    return verdict.model_copy(update={"taken": getattr(answer, "taken", ())})


def _grade_lines(path: Path, args: argparse.Namespace, secret: str | None) -> Iterator[Graded]:
    """The predictions of a file in its order; with --out, results.jsonl beside the verdicts. Raises CommandError."""
    from ampfix.agents.executors import ExecutorError
    from ampfix.agents.predictions import PredictionError, index
    from ampfix.agents.results import grade_file, read_results

    try:
        index(path)  # what cannot be read is told before anything runs
        with _folder(args.out) as folder:
            with new_executor(args) as executor:
                grade_file(path, folder, executor, secret, args.scenarios_dir, show_progress)
            yield from read_results(folder)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (PredictionError, ExecutorError) as error:
        raise CommandError(str(error)) from error


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="ampfix-grade-") as name:
            yield Path(name)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out {out}: cannot be made: {error.strerror}") from error
    yield out


def _read_one(path: Path, args: argparse.Namespace) -> tuple[Submission | InvalidAnswer, ScenarioSpec]:
    """One file's answer and the scenario it is for: --scenario, its header comment, or the folder it lies in."""
    from ampfix.agents.answers import Mode, Question, take
    from ampfix.lab.spec import SpecError, find, owner_of
    from ampfix.lab.submission import InvalidAnswer, header_scenario, read, read_bytes

    try:
        raw = read_bytes(path)
        named = args.scenario or header_scenario(raw) or owner_of(path, args.scenarios_dir)
        if named is None:
            raise CommandError(f"{path}: which scenario does it answer? Name it with --scenario ID")
        spec = find(named, args.scenarios_dir)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror or error}") from error
    except SpecError as error:
        raise CommandError(str(error)) from error
    try:
        if path.suffix.lower() in (".py", ".pyw"):
            return read(path), spec
        return take(raw, Question.of(spec), Mode(args.mode) if args.mode else None), spec
    except InvalidAnswer as invalid:
        return invalid, spec


def _exit_code(statuses: set[str]) -> int:
    if "infra_error" in statuses:
        return Exit.ERROR
    return Exit.OK if statuses == {"pass"} else Exit.FINDINGS
