"""Results of a grading on disk: one line for each answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ampfix import atomic
from ampfix.agents.evaluation import RESULTS
from ampfix.agents.executors import Executor
from ampfix.agents.grading import Graded, Grader
from ampfix.agents.predictions import index
from ampfix.agents.store import Store


class ResultsError(ValueError):
    """A results file that cannot be used; the message is one line and names it."""


def grade_file(
    answers: Path,
    folder: Path,
    executor: Executor,
    secret: str | None = None,
    scenarios: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Graded]:
    """Grade a predictions file, in its order, and write results.jsonl into a folder that keeps the verdicts.

    Raises OSError, PredictionError and SpecError.
    """
    grader = Grader.on(executor, Store(folder), secret, scenarios)
    graded = sorted(grader.grade(answers, index(answers), on_progress), key=lambda each: each.line)
    atomic.write(folder / RESULTS, "".join(each.to_json(indent=None) + "\n" for each in graded).encode())
    return graded


def read_results(path: Path) -> list[Graded]:
    """A results file, or the one in a folder. Raises OSError and ResultsError."""
    file = path / RESULTS if path.is_dir() else path
    with file.open("rb") as lines:
        return [_read_line(line, f"{file}:{number}") for number, line in enumerate(lines, 1)]


def _read_line(line: bytes, place: str) -> Graded:
    try:
        return Graded.model_validate_json(line)
    except ValidationError as error:
        raise ResultsError(f"{place}: not a result: {error.errors()[0]['msg']}") from None
