"""Runs scenarios and says whether each is valid: whether execution shows what it claims."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ampfix.findings import Applicability
from ampfix.lab import assembly, stopwatch, validity, witness
from ampfix.lab.bench import Bench, Files, Progress
from ampfix.lab.causes import InfraError
from ampfix.lab.checks import Paired
from ampfix.lab.models import Document, Model
from ampfix.lab.runner import Runner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Runs, Session, by_seed
from ampfix.lab.spec import AnswerSpec, ScenarioSpec
from ampfix.lab.submission import InvalidAnswer, extract, sha256_of
from ampfix.lab.timing import Timing
from ampfix.lab.validity import BROKEN, BROKEN_FP32, CODEMOD, GOLD, REFERENCE
from ampfix.lab.verdict import Verdict


class SeedRun(Model):
    """One variant on one seed, an index among the scenario's. verdict: on this seed alone."""

    variant: str
    seed: int
    repeat: int
    verdict: Verdict


class VariantVerdict(Model):
    """One variant's verdict over all its seeds: what validity rests on."""

    variant: str
    repeat: int
    verdict: Verdict


class ScenarioReport(Model):
    id: str
    valid: bool
    problems: tuple[str, ...]
    runs: tuple[SeedRun, ...]
    verdicts: tuple[VariantVerdict, ...]


class SuiteReport(Document):
    """The JSON root of `suite`."""

    ok: bool
    scenarios: tuple[ScenarioReport, ...]


@dataclass
class _Round:
    """One scenario under way on one secret.

    loops: hash and runs by variant. files: of the variants that run as they are written. rejected: answers with nothing
    to run. timings: where the loops were timed.
    """

    session: Session
    loops: dict[str, tuple[str, Runs]] = field(default_factory=dict)
    files: dict[str, Files] = field(default_factory=dict)
    timings: dict[str, Timing] = field(default_factory=dict)
    rejected: dict[str, InvalidAnswer] = field(default_factory=dict)


def run_suite(
    specs: Sequence[ScenarioSpec],
    *,
    runner: Runner,
    validate: Sequence[str] = (),
    repeats: int = 1,
    secret: str | None = None,
    on_progress: Progress | None = None,
) -> SuiteReport:
    """Run reference, broken, gold and codemod of every scenario and judge its validity.

    validate: ids of the scenarios whose answers run too. repeats: how often everything runs, each time on a fresh
    secret (on `secret` where given).
    """
    with Bench(runner, on_progress=on_progress) as bench:
        started = [
            [
                _start(Session(bench, spec, secret or new_secret()), spec.answers if spec.id in validate else ())
                for _ in range(repeats)
            ]
            for spec in specs
        ]
        _time([one for rounds in started for one in rounds])
        scenarios = tuple(_finish(rounds) for rounds in started)
    return SuiteReport(ok=all(scenario.valid for scenario in scenarios), scenarios=scenarios)


def _time(rounds: Sequence[_Round]) -> None:
    """Time the loops of the scenarios that ask for it, one by one, once nothing else runs."""
    wanted = [one for one in rounds if stopwatch.is_wanted(one.session.spec, one.session.bench.runner)]
    if not wanted:
        return
    for wait in (wait for one in rounds for _, runs in one.loops.values() for wait in runs):
        with contextlib.suppress(InfraError):  # told by the verdict
            wait()
    for one in wanted:
        session = one.session
        one.timings = stopwatch.time_loops(session.bench.runner, session.spec, session.seeds[0], one.files)


def _start(session: Session, answers: Sequence[AnswerSpec]) -> _Round:
    """Queue everything of one scenario."""
    spec = session.spec
    started = _Round(session)
    started.loops[REFERENCE] = (sha256_of(spec.gold_files()), session.reference())
    for variant, files in _own_loops(spec):
        started.files[variant] = files
        started.loops[variant] = (sha256_of(files), session.run(files))
    if spec.kind == "decoy":
        started.loops[BROKEN_FP32] = (sha256_of(spec.loop_files()), session.run(spec.loop_files(), "fp32"))
    for answer in answers:
        _start_answer(started, answer)
    return started


def _start_answer(started: _Round, answer: AnswerSpec) -> None:
    spec = started.session.spec
    try:
        submission = extract(spec.answer_bytes(answer), markdown=not answer.file.endswith(".py"))
    except InvalidAnswer as invalid:
        started.rejected[answer.variant] = invalid
        return
    files = spec.loop_files() | {spec.entry: submission.text}
    started.files[answer.variant] = files
    started.loops[answer.variant] = (submission.sha256, started.session.run(files))


def _own_loops(spec: ScenarioSpec) -> Iterator[tuple[str, Files]]:
    yield BROKEN, spec.loop_files()
    if spec.kind != "control":
        yield GOLD, spec.gold_files()
    if spec.codemod != "none" and spec.kind == "bug":
        kinds = (Applicability.SAFE, Applicability.UNSAFE) if spec.codemod == "unsafe" else (Applicability.SAFE,)
        yield CODEMOD, witness.repaired(spec.loop_files(), kinds)


def _finish(rounds: Sequence[_Round]) -> ScenarioReport:
    """Wait for a scenario's runs and judge them."""
    spec = rounds[0].session.spec
    runs: list[SeedRun] = []
    verdicts: list[VariantVerdict] = []
    problems = list(validity.static_problems(spec))
    for repeat, one in enumerate(rounds):
        of_round: dict[str, Verdict] = {}
        measured: dict[str, Paired] = {}
        for variant, verdict, pairs in _verdicts(one):
            of_round[variant] = verdict
            verdicts.append(VariantVerdict(variant=variant, repeat=repeat, verdict=verdict))
            if pairs is not None:
                measured[variant] = pairs
                runs += _seed_runs(one.session, variant, repeat, verdict.answer_sha256, pairs)
        problems += [found for found in validity.problems(spec, of_round, measured) if found not in problems]
    return ScenarioReport(
        id=spec.id, valid=not problems, problems=tuple(problems), runs=tuple(runs), verdicts=tuple(verdicts)
    )


def _verdicts(one: _Round) -> Iterator[tuple[str, Verdict, Paired | None]]:
    broken = one.loops[BROKEN][1]
    for variant, (sha256, runs) in one.loops.items():
        yield variant, *_verdict(one, variant, sha256, runs, broken)
    for variant, invalid in one.rejected.items():
        yield variant, assembly.rejected(one.session, invalid), None


def _verdict(one: _Round, variant: str, sha256: str, runs: Runs, broken: Runs) -> tuple[Verdict, Paired | None]:
    try:
        pairs = replace(one.session.paired(runs, broken), timing=one.timings.get(variant))
    except InfraError as error:
        return assembly.faulted(one.session, sha256, error), None
    return _judged(one.session, variant, sha256, pairs), pairs


def _judged(session: Session, variant: str, sha256: str, pairs: Paired) -> Verdict:
    judge = assembly.judged_reference if variant == REFERENCE else assembly.judged
    return judge(session, sha256, pairs)


def _seed_runs(session: Session, variant: str, repeat: int, sha256: str, pairs: Paired) -> Iterator[SeedRun]:
    for index, alone in zip(session.spec.seeds, by_seed(pairs), strict=True):
        yield SeedRun(variant=variant, seed=index, repeat=repeat, verdict=_judged(session, variant, sha256, alone))
