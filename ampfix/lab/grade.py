"""From an answer to its verdict."""

from __future__ import annotations

from ampfix.lab import assembly
from ampfix.lab.bench import Bench
from ampfix.lab.causes import InfraError
from ampfix.lab.models import Document
from ampfix.lab.runner import Runner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Session
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
    original = session.spec.loop_files()
    broken = session.run(original)
    runs = session.run(answer.loop(original, session.spec.entry))
    try:
        measured = session.paired(runs, broken)
    except InfraError as error:
        return assembly.faulted(session, answer.sha256, error)
    return assembly.judged(session, answer.sha256, measured)
