"""How checks become a verdict, and how far that is to be trusted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.causes import CAUSES, InfraError, Status
from ampfix.lab.verdict import Check, CheckStatus, Trust, decide

PASS, FAIL, NOT_MEASURED = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.NOT_MEASURED
ATTESTED, SELF_REPORTED = Trust.ATTESTED, Trust.SELF_REPORTED


def one(status: CheckStatus, source: Trust = ATTESTED, required: bool = True, name: str = "converges") -> Check:
    reason = "loss_too_high" if status is FAIL else ""
    return Check(name=name, status=status, required=required, source=source, reason=reason)


def test_a_pass_is_only_as_trustworthy_as_its_weakest_check() -> None:
    decision = decide([one(PASS), one(PASS, SELF_REPORTED, name="half_precision")])
    assert (decision.status, decision.trust) == (Status.PASS, SELF_REPORTED)
    assert all(check.decisive for check in decision.checks)


def test_one_attested_failure_makes_a_fail_attested() -> None:
    decision = decide([one(FAIL, SELF_REPORTED, name="protocol"), one(FAIL), one(PASS, name="runs")])
    assert (decision.status, decision.trust) == (Status.FAIL, ATTESTED)
    assert [check.decisive for check in decision.checks] == [True, True, False]


def test_an_optional_check_decides_nothing() -> None:
    decision = decide([one(PASS), one(FAIL, required=False, name="skipped_steps")])
    assert decision.status is Status.PASS
    assert [check.decisive for check in decision.checks] == [True, False]


def test_what_was_not_measured_makes_a_verdict_incomplete_but_not_a_fail() -> None:
    decision = decide([one(PASS), one(NOT_MEASURED, name="speedup")])
    assert (decision.status, decision.complete) == (Status.PASS, False)


def test_nothing_measured_is_no_pass() -> None:
    assert decide([one(NOT_MEASURED)]).status is Status.FAIL


CHECKS = st.builds(one, st.sampled_from(CheckStatus), st.sampled_from(Trust), st.booleans(), st.uuids().map(str))


@given(st.lists(CHECKS, max_size=8))
def test_a_pass_never_rests_on_a_failing_or_optional_check(checks: list[Check]) -> None:
    decision = decide(checks)
    decisive = [check for check in decision.checks if check.decisive]
    if decision.status is Status.PASS:
        assert decisive and all(check.status is PASS and check.required for check in decisive)
        assert (decision.trust is ATTESTED) == all(check.source is ATTESTED for check in decisive)
    else:
        assert all(check.status is FAIL for check in decisive)


def test_every_cause_tells_what_it_means_and_only_faults_of_the_lab_are_retried() -> None:
    assert all(cause.meaning and code == cause.code for code, cause in CAUSES.items())
    assert {cause.status for cause in CAUSES.values() if cause.retry} == {Status.INFRA_ERROR}


def test_a_submission_cannot_be_blamed_on_the_lab() -> None:
    with pytest.raises(AssertionError):
        InfraError("crashed", "no such infra cause")


def test_numbers_that_are_not_finite_become_null() -> None:
    from ampfix.lab.grade import GradeReport

    assert json.loads(GradeReport(verdicts=()).to_json()) == {"schema": 1, "verdicts": []}
    assert json.loads(one(PASS).model_copy(update={"measured": float("inf")}).model_dump_json())["measured"] is None
