"""From an answer to its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ampfix.lab import assembly, stopwatch
from ampfix.lab.bench import Bench, Files
from ampfix.lab.causes import InfraError, Status
from ampfix.lab.checks import Paired
from ampfix.lab.curves import Curve
from ampfix.lab.models import Document
from ampfix.lab.runner import Runner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Runs, Session
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import InvalidAnswer, Submission
from ampfix.lab.timing import Timing
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
    """Grade loops, each named by the SHA-256 of its answer: all are started at once, and told in their order.

    Where the scenario asks for a speed that this runner can measure, those that pass are timed behind the others.
    """
    original = session.spec.loop_files()
    broken = session.run(original)
    started = [_Started(sha256, files, session.run(files)) for sha256, files in loops]
    timings: dict[str, Timing] = {}
    if stopwatch.is_wanted(session.spec, session.bench.runner):
        timings = _timed(session, started, broken)
    for one in started:
        yield _judged(session, one, broken, timings.get(one.sha256))
        if one.files != original:  # thousands may come, and each is judged once
            session.bench.forget(one.files)


@dataclass(frozen=True)
class _Started:
    sha256: str
    files: Files
    runs: Runs


def _timed(session: Session, started: Sequence[_Started], broken: Runs) -> dict[str, Timing]:
    """Time the loops that pass, one by one: by then every run has ended, and nothing else is at work."""
    sound = [one for one in started if _judged(session, one, broken, None).status is Status.PASS]
    runner, spec, seed = session.bench.runner, session.spec, session.seeds[0]
    return {
        name: timing
        for one in sound
        for name, timing in stopwatch.time_loops(runner, spec, seed, {one.sha256: one.files}).items()
    }


def _judged(session: Session, one: _Started, broken: Runs, timing: Timing | None) -> Verdict:
    sha256 = one.sha256
    try:
        paired = replace(session.paired(one.runs, broken), timing=timing)
    except InfraError as error:
        return assembly.faulted(session, sha256, error)
    verdict = assembly.judged(session, sha256, paired)
    return verdict if not verdict.checks else verdict.model_copy(update={"curves": _curves(paired)})


def _curves(runs: Paired) -> dict[str, Curve]:
    """Of the first seed alone: for people to see what happened."""
    return {"answer": runs.answer[0].curve, "reference": runs.reference[0].curve, "broken": runs.broken[0].curve}
