"""Verdicts put together: the decision on some checks, with the circumstances under which it was made."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from functools import cache
from typing import Any

import ampfix
from ampfix.lab.causes import CAUSES, InfraError, Status
from ampfix.lab.checks import Paired, check, median
from ampfix.lab.checkspec import CheckSpec
from ampfix.lab.session import Session
from ampfix.lab.submission import InvalidAnswer
from ampfix.lab.verdict import Check, CheckStatus, Decision, Figures, Isolation, Trust, Verdict, decide

STRONG = frozenset({"namespaces", "container+namespaces", "container"})
"""The isolation levels that keep a submission away from the judge; on a weaker one nothing is attested."""

_NOT_RUN = Isolation(level="none")
_NOT_ASKED_OF_FP32 = frozenset({"not_fp32", "half_precision"})


def judged(session: Session, sha256: str, runs: Paired) -> Verdict:
    """The verdict on an answer's runs."""
    unsupported = next((run.unsupported for run in runs.answer if run.unsupported), None)
    if unsupported is not None:
        return faulted(session, sha256, InfraError("unsupported_cuda_api", unsupported))
    return _on_checks(session, sha256, runs, [check(spec, runs) for spec in session.spec.all_checks])


def judged_reference(session: Session, sha256: str, runs: Paired) -> Verdict:
    """The verdict on the fp32 reference itself, of which no half precision is asked."""
    specs = session.spec.all_checks
    checks = [_not_asked(spec) if spec.name in _NOT_ASKED_OF_FP32 else check(spec, runs) for spec in specs]
    return _on_checks(session, sha256, runs, checks)


def faulted(session: Session, sha256: str, error: InfraError) -> Verdict:
    """The verdict where a fault of the lab's own, or a call that cannot be emulated, prevented judgement."""
    return _without_runs(session, sha256, error.cause.code, str(error))


def rejected(session: Session, answer: InvalidAnswer) -> Verdict:
    """The verdict on an answer that holds nothing to run."""
    return _without_runs(session, answer.sha256, answer.code, str(answer))


def unjudged(scenario_id: str, sha256: str, code: str, detail: str, device: str, policy: str) -> Verdict:
    """The verdict on an answer that is for no scenario, or none at all."""
    return Verdict(
        scenario_id=scenario_id, answer_sha256=sha256, status=CAUSES[code].status, reason=code, detail=detail,
        trust=None, complete=False, checks=(), policy=policy, device=device, isolation=_NOT_RUN, secret="", seeds=(),
        wall_s=0.0, versions=versions(),
    )  # fmt: skip


def _on_checks(session: Session, sha256: str, runs: Paired, checks: Sequence[Check]) -> Verdict:
    if any(run.isolation.level not in STRONG for run in runs.answer):
        checks = [one.model_copy(update={"source": Trust.SELF_REPORTED}) for one in checks]
    decision = decide(checks)
    return _verdict(
        session,
        sha256,
        decision,
        wall_s=round(sum(run.wall_s for run in runs.answer), 3),
        seeds=tuple(run.seed for run in runs.answer),
        isolation=runs.answer[0].isolation,
        figures=_figures(runs),
        output_tail=_output(runs) if decision.status is Status.FAIL else "",
    )


def _output(runs: Paired) -> str:
    """What the loop printed on the first seed on which it did not end, on the first of all where it always did."""
    return next((run for run in runs.answer if run.ended), runs.answer[0]).output


def _without_runs(session: Session, sha256: str, code: str, detail: str) -> Verdict:
    cause = CAUSES[code]
    decision = Decision(status=cause.status, reason=code, detail=detail, trust=None, complete=False, checks=())
    return _verdict(session, sha256, decision, wall_s=0.0, seeds=session.seeds, isolation=_NOT_RUN)


def _verdict(session: Session, sha256: str, decision: Decision, **circumstances: Any) -> Verdict:
    return Verdict(
        scenario_id=session.spec.id,
        answer_sha256=sha256,
        **{name: getattr(decision, name) for name in Decision.model_fields},
        policy=session.bench.runner.policy,
        device=session.bench.runner.device,
        secret=session.secret,
        versions=versions() | session.bench.runner.versions(),
        **circumstances,
    )


def _not_asked(spec: CheckSpec) -> Check:
    return Check(
        name=spec.name,
        status=CheckStatus.NOT_MEASURED,
        required=False,
        detail="the reference runs in float32 by design",
        source=Trust.ATTESTED,
    )


def _figures(runs: Paired) -> Figures:
    return Figures(
        loss=median(run.loss for run in runs.answer),
        reference_loss=median(run.loss for run in runs.reference),
        broken_loss=median(run.loss for run in runs.broken),
        skipped=median(run.skipped for run in runs.answer),
        attempted=median(run.attempts for run in runs.answer),
        half_precision=median(run.half_share for run in runs.answer),
        final_scale=median(run.final_scale for run in runs.answer),
    )


def versions() -> dict[str, str]:
    """What a result may depend on."""
    return {"ampfix": ampfix.__version__, "python": platform.python_version(), "torch": _torch()}


@cache
def _torch() -> str:
    """Its version, without importing it; looked up once, since that reads files."""
    return importlib.metadata.version("torch")
