"""What the lab says about one answer, and how checks become a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ampfix.lab.causes import CAUSES, Status
from ampfix.lab.curves import Curve
from ampfix.lab.models import Document, Model


class CheckStatus(str, Enum):
    PASS = "pass"
    FAIL = "fail"
    NOT_MEASURED = "not_measured"


class Trust(str, Enum):
    """Who could have forged it: nobody (measured outside the submission's process), or the submission itself."""

    ATTESTED = "attested"
    SELF_REPORTED = "self_reported"


class Check(Model):
    """One check. measured: None where it has no number. reason: a code of `causes` where it failed.

    detail: one line for people. decisive: the verdict rests on it.
    """

    name: str
    status: CheckStatus
    measured: float | None = None
    required: bool
    threshold: float | None = None
    unit: str = ""
    reason: str = ""
    detail: str = ""
    source: Trust
    decisive: bool = False


class Isolation(Model):
    """The level that held the submission, and what it leaves open."""

    level: str
    undefended: tuple[str, ...] = ()


class Figures(Model):
    """Numbers for people beside the checks: medians over the seeds, None where nothing was measured."""

    loss: float | None = None
    reference_loss: float | None = None
    broken_loss: float | None = None
    skipped: float | None = None
    attempted: float | None = None
    half_precision: float | None = None
    final_scale: float | None = None


class Verdict(Document):
    """One graded answer. `secret` is the grading's, named afterwards; `seeds` are derived from it.

    taken: what was taken of an answer that is more than a loop, a line each.
    output_tail: where it failed, the end of what the loop printed on one seed, its traceback included.
    curves: of answer, reference and broken loop on the first seed, as they told them; empty in a suite's verdicts.
    """

    scenario_id: str
    answer_sha256: str
    status: Status
    reason: str = ""
    detail: str = ""
    trust: Trust | None
    complete: bool
    checks: tuple[Check, ...]
    figures: Figures = Figures()
    output_tail: str = ""
    taken: tuple[str, ...] = ()
    curves: dict[str, Curve] = {}
    policy: str
    device: str
    isolation: Isolation
    secret: str
    seeds: tuple[int, ...]
    wall_s: float
    versions: dict[str, str]


class Decision(Model):
    """What the checks add up to."""

    status: Status
    reason: str
    detail: str
    trust: Trust | None
    complete: bool
    checks: tuple[Check, ...]


def decide(checks: Sequence[Check]) -> Decision:
    """A pass needs every required check that was measured, and one at least.

    Decisive for a pass: the required checks that were measured, and the weakest source among them is its trust.
    For a fail: the failing ones, and the strongest source among them, since one proof of failure is enough.
    """
    measured = [check for check in checks if check.required and check.status is not CheckStatus.NOT_MEASURED]
    failing = [check for check in measured if check.status is CheckStatus.FAIL]
    decisive = failing or measured
    marked = tuple(check.model_copy(update={"decisive": check in decisive}) for check in checks)
    complete = all(check.status is not CheckStatus.NOT_MEASURED for check in checks)
    if not measured:
        return Decision(
            status=Status.FAIL, reason="", detail="no required check could be measured here", trust=None,
            complete=complete, checks=marked,
        )  # fmt: skip
    sources = {check.source for check in decisive}
    if failing:
        trust = Trust.ATTESTED if Trust.ATTESTED in sources else Trust.SELF_REPORTED
        first = failing[0]
        detail = first.detail or CAUSES[first.reason].meaning
        return Decision(
            status=Status.FAIL, reason=first.reason, detail=detail, trust=trust, complete=complete, checks=marked
        )
    trust = Trust.SELF_REPORTED if Trust.SELF_REPORTED in sources else Trust.ATTESTED
    return Decision(status=Status.PASS, reason="", detail="", trust=trust, complete=complete, checks=marked)
