"""Results of a grading on disk: one line for each answer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

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
) -> None:
    """Grade a predictions file, and write results.jsonl, in its order, into a folder that keeps the verdicts.

    Results wait on disk until all are there, so that memory does not grow with them. Raises OSError, PredictionError
    and SpecError.
    """
    grader = Grader.on(executor, Store(folder), secret, scenarios)
    places: list[tuple[int, int, int]] = []  # line, offset and length of each result
    with tempfile.TemporaryFile(dir=folder) as spool:
        for graded in grader.grade(answers, index(answers), on_progress):
            line = graded.to_json(indent=None).encode() + b"\n"
            places.append((graded.line, spool.tell(), len(line)))
            spool.write(line)
        atomic.write_parts(folder / RESULTS, (_part(spool, *place) for _, *place in sorted(places)))


def _part(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def read_results(path: Path) -> Iterator[Graded]:
    """A results file, or the one in a folder, line by line. Raises OSError and ResultsError."""
    file = path / RESULTS if path.is_dir() else path
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            yield _read_line(line, f"{file}:{number}")


def _read_line(line: bytes, place: str) -> Graded:
    try:
        return Graded.model_validate_json(line)
    except ValidationError as error:
        raise ResultsError(f"{place}: not a result: {error.errors()[0]['msg']}") from None
