"""Each check on measurements made by hand: where it passes, fails and cannot measure, and for which reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.checks import Paired, check, loss_gap
from ampfix.lab.checkspec import (
    CheckSpec,
    Converges,
    HalfPrecision,
    Memory,
    NotFp32,
    Protocol,
    Runs,
    SkippedSteps,
    Speedup,
    Trajectory,
)
from ampfix.lab.measurement import Measurement
from ampfix.lab.problem import Problem
from ampfix.lab.recording import Breach
from ampfix.lab.verdict import CheckStatus, Isolation, Trust

Make = Callable[..., Measurement]
CODES = {"clip_while_scaled": "AMP101"}
CLIPPED = Breach(violation="clip_while_scaled", path="loop.py", line=3, first_step=0, count=2)


def pair(run: Make, answer: Sequence[Measurement]) -> Paired:
    count = len(answer)
    return Paired(answer, [run(loss=1.0) for _ in range(count)], [run(loss=3.0) for _ in range(count)], CODES)


@pytest.mark.parametrize(
    ("spec", "figures", "reason"),
    [
        (Runs(), {"ended": Problem(cause="crashed", detail="TypeError: x")}, "crashed"),
        (Runs(), {"ended": Problem(cause="timeout")}, "timeout"),
        (Runs(), {"weights": Problem(cause="malformed_weights")}, "malformed_weights"),
        (Converges(), {"loss": 2.0}, "loss_too_high"),
        (Converges(), {"loss": math.nan}, "loss_too_high"),
        (Converges(), {"weights": Problem(cause="not_finite"), "loss": None}, "not_finite"),
        (Converges(), {"weights": Problem(cause="half_weights"), "loss": None}, "half_weights"),
        (Trajectory(), {"trajectory": 0.5}, "early_steps_differ"),
        (Trajectory(), {"trajectory": math.nan}, "early_steps_differ"),
        (Trajectory(), {"trajectory": None}, "no_snapshot"),
        (NotFp32(), {"fp32_distance": 0.0}, "amp_removed"),
        (HalfPrecision(), {"half_share": 0.0}, "amp_removed"),
        (HalfPrecision(), {"half_share": 0.2}, "too_little_half"),
        (HalfPrecision(), {"flops": 4e5}, "fewer_steps"),
        (Protocol(), {"breaches": (CLIPPED,)}, "protocol_broken"),
        (Protocol(), {"events": Problem(cause="malformed_events")}, "malformed_events"),
        (SkippedSteps(), {"skipped": 50}, "too_many_skips"),
        (SkippedSteps(), {"attempts": 0}, "no_steps"),
        (SkippedSteps(), {"travelled": 0.0}, "never_moved"),
    ],
)  # fmt: skip
def test_a_wrong_run_fails_the_check_for_its_reason(
    run: Make, spec: CheckSpec, figures: dict[str, object], reason: str
) -> None:
    result = check(spec, pair(run, [run(**figures)] * 3))
    assert (result.status, result.reason) == (CheckStatus.FAIL, reason)
    assert check(spec, pair(run, [run()] * 3)).status is CheckStatus.PASS


@pytest.mark.parametrize("spec", [Converges(), Trajectory(), NotFp32()])
def test_what_needs_weights_is_not_measured_where_the_loop_did_not_end(run: Make, spec: CheckSpec) -> None:
    dead = run(ended=Problem(cause="crashed"), loss=None, trajectory=None, fp32_distance=None)
    assert check(spec, pair(run, [dead, run(), run()])).status is CheckStatus.NOT_MEASURED


@pytest.mark.parametrize("spec", [HalfPrecision(), Protocol(), SkippedSteps()])
def test_what_the_run_reports_itself_is_never_attested(run: Make, spec: CheckSpec) -> None:
    assert check(spec, pair(run, [run()])).source is Trust.SELF_REPORTED


@pytest.mark.parametrize("spec", [Runs(), Converges(), Trajectory(), NotFp32()])
def test_what_the_judge_finds_is_attested(run: Make, spec: CheckSpec) -> None:
    assert check(spec, pair(run, [run()])).source is Trust.ATTESTED


@pytest.mark.parametrize("spec", [Speedup(), Memory()])
def test_what_needs_cuda_is_not_measured_without_it(run: Make, spec: CheckSpec) -> None:
    assert check(spec, pair(run, [run()])).status is CheckStatus.NOT_MEASURED


def test_one_seed_that_is_not_finite_fails_converges(run: Make) -> None:
    bad = run(weights=Problem(cause="not_finite", detail="model.w holds NaN or inf"), loss=None)
    assert check(Converges(), pair(run, [run(), run(), bad])).reason == "not_finite"


def test_one_seed_that_crashed_fails_runs(run: Make) -> None:
    dead = run(ended=Problem(cause="crashed"), loss=None)
    assert check(Runs(), pair(run, [run(), run(), dead])).status is CheckStatus.FAIL


def test_one_outlier_of_three_seeds_does_not_fail_a_median(run: Make) -> None:
    assert check(Converges(), pair(run, [run(), run(), run(loss=2.9)])).status is CheckStatus.PASS


def test_a_rule_the_scenario_does_not_name_is_no_breach(run: Make) -> None:
    other = Breach(violation="backward_in_autocast", path="loop.py", line=3, first_step=0, count=1)
    assert check(Protocol(), pair(run, [run(breaches=(other,))])).status is CheckStatus.PASS


def test_without_a_finite_broken_loss_the_relative_tolerance_holds(run: Make) -> None:
    spec = Converges(max_gap=0.25, rel_tol=0.1)

    def gap(loss: float) -> float | None:
        return loss_gap(spec, Paired([run(loss=loss)], [run(loss=2.0)], [run(loss=None)], CODES))

    assert gap(2.2) == pytest.approx(0.25)
    assert check(spec, Paired([run(loss=2.21)], [run(loss=2.0)], [run(loss=math.inf)], CODES)).reason == "loss_too_high"


def make(**figures: float) -> Measurement:
    return Measurement(seed=0, isolation=Isolation(level="namespaces"), wall_s=0.0, **figures)


LOSSES = st.floats(min_value=0.0, max_value=1e6)


@given(answer=LOSSES, better=LOSSES, reference=LOSSES, broken=LOSSES)
def test_a_lower_loss_never_has_a_larger_gap(answer: float, better: float, reference: float, broken: float) -> None:
    low, high = sorted((answer, better))
    gaps = [
        loss_gap(Converges(), Paired([make(loss=loss)], [make(loss=reference)], [make(loss=broken)], CODES))
        for loss in (low, high)
    ]
    assert gaps[0] is not None and gaps[1] is not None and gaps[0] <= gaps[1]


@given(reference=LOSSES, broken=LOSSES)
def test_the_reference_itself_always_converges(reference: float, broken: float) -> None:
    gap = loss_gap(Converges(), Paired([make(loss=reference)], [make(loss=reference)], [make(loss=broken)], CODES))
    assert gap is not None and gap <= Converges().max_gap
