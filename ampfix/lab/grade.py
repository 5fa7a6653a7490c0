"""From an answer to its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ampfix.lab import assembly
from ampfix.lab.bench import Bench, Files
from ampfix.lab.causes import InfraError
from ampfix.lab.checks import Paired
from ampfix.lab.curves import Curve
from ampfix.lab.models import Document
from ampfix.lab.runner import Runner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Runs, Session
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import InvalidAnswer, Submission
from ampfix.lab.verdict import Verdict


class GradeReport(Document):
    """The JSON root of `grade`."""

    verdicts: tuple[Verdict, ...]


def grade(
    answer: Submission | InvalidAnswer, spec: ScenarioSpec, *, runner: Runner, secret: str | None = None
) -> Verdict:
    """Grade one answer on fresh secret seeds, or on those of `secret`."""
    with Bench(runner) as bench:
        return grade_on(Session(bench, spec, secret or new_secret()), answer)


def grade_on(session: Session, answer: Submission | InvalidAnswer) -> Verdict:
    """Grade one answer in a session. Answers that share a session share its reference and seeds."""
    if isinstance(answer, InvalidAnswer):
        return assembly.rejected(session, answer)
    return next(grade_loops(session, [(answer.sha256, answer.loop(session.spec.loop_files(), session.spec.entry))]))


def grade_loops(session: Session, loops: Sequence[tuple[str, Files]]) -> Iterator[Verdict]:
    """Grade loops, each named by the SHA-256 of its answer: all are started at once, and told in their order."""
    broken = session.run(session.spec.loop_files())
    started = [(sha256, session.run(files)) for sha256, files in loops]
    for sha256, runs in started:
        yield _judged(session, sha256, runs, broken)


def _judged(session: Session, sha256: str, runs: Runs, broken: Runs) -> Verdict:
    try:
        paired = session.paired(runs, broken)
    except InfraError as error:
        return assembly.faulted(session, sha256, error)
    verdict = assembly.judged(session, sha256, paired)
    return verdict if not verdict.checks else verdict.model_copy(update={"curves": _curves(paired)})


def _curves(runs: Paired) -> dict[str, Curve]:
    """Of the first seed alone: for people to see what happened."""
    return {"answer": runs.answer[0].curve, "reference": runs.reference[0].curve, "broken": runs.broken[0].curve}
