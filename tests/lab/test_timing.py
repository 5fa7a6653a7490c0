"""The statistics of timed runs: drift cancels, intervals hold the truth, and noise forbids a conclusion."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.checks import Paired, check
from ampfix.lab.checkspec import HalfPrecision, Memory, Speedup
from ampfix.lab.measurement import Measurement
from ampfix.lab.stopwatch import Sample, timing_of
from ampfix.lab.timing import Timing, interleaved, ratio, spread
from ampfix.lab.verdict import Check, CheckStatus, Trust

Make = Callable[..., Measurement]


def passes(centre: float, width: float, seed: int, count: int = 6, drift: float = 0.0) -> tuple[float, ...]:
    generator = random.Random(seed)
    return tuple(
        centre * (1 + drift * place / count) * (1 + generator.uniform(-width, width)) for place in range(count)
    )


@given(count=st.integers(1, 6), rounds=st.integers(1, 5))
def test_every_arm_runs_equally_often_and_equally_late(count: int, rounds: int) -> None:
    arms = [f"arm{place}" for place in range(count)]
    order = list(interleaved(arms, rounds))
    middles = {arm: sum(place for place, name in enumerate(order) if name == arm) / order.count(arm) for arm in arms}
    assert {order.count(arm) for arm in arms} == {2 * rounds}
    assert set(middles.values()) == {(len(order) - 1) / 2}


def test_a_drift_that_falls_on_both_arms_leaves_their_ratio_alone() -> None:
    found = ratio(passes(2.0, 0.0, 0, drift=0.4), passes(1.0, 0.0, 0, drift=0.4))
    assert (found.ratio, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    found = [ratio(passes(1.5, 0.05, 2 * seed), passes(1.0, 0.05, 2 * seed + 1)) for seed in range(200)]
    held = sum(one.low <= 1.5 <= one.high for one in found)
    assert held >= 170, "six passes give a coarse interval, not a wrong one"
    assert sum(one.low > 1.55 for one in found) <= 10


@pytest.mark.parametrize(("base", "arm"), [((1.0,) * 3, (1.0,) * 3), ((1.0,) * 5, (1.0,) * 6)])
def test_too_few_passes_or_arms_that_do_not_match_are_refused(base, arm) -> None:
    with pytest.raises(ValueError, match="passes"):
        ratio(base, arm)


def test_spread_is_the_interquartile_range_over_the_median() -> None:
    assert spread((1.0, 1.0, 1.0, 1.0)) == 0
    assert spread((1.0, 2.0, 3.0)) == pytest.approx(1.0)


def timed(centre: float, width: float = 0.01, **fields: Any) -> Timing:
    arms = {"answer": passes(centre, width, 1), "fp32": passes(2.0, width, 2), "tf32": passes(1.5, width, 3)}
    return Timing(**{**arms, "loss_ratio": 1.0, **fields})


def speedup(run: Make, timing: Timing | None, device: str = "H100", **spec: Any) -> Check:
    asked = Speedup(**{"min_ratio": {"H100": 1.3}, "required": True} | spec)
    return check(asked, Paired([run()], [run()], [run()], {}, timing, device))


def test_a_gain_passes_where_its_lower_end_clears_the_device_classs_threshold(run: Make) -> None:
    found = speedup(run, timed(1.0))
    assert (found.status, found.source, found.threshold) == (CheckStatus.PASS, Trust.ATTESTED, 1.3)
    assert found.measured == pytest.approx(2.0, rel=0.05)
    assert "of IEEE fp32's speed" in found.detail and "of TF32's" in found.detail
    assert speedup(run, timed(1.55)).reason == "no_speedup"
    near = speedup(run, timed(1.52, 0.06))
    assert near.measured is not None and near.measured > 1.29 and near.reason == "no_speedup", "the lower end decides"


def test_a_device_class_without_a_threshold_is_reported_and_not_required(run: Make) -> None:
    assert speedup(run, None).detail == "this loop was not timed"
    for found in (speedup(run, timed(1.0), device="L40S"), speedup(run, timed(3.0), min_ratio={})):
        assert (found.status, found.required) == (CheckStatus.NOT_MEASURED, False)
        assert found.measured is not None and "no threshold has been measured for" in found.detail


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        (None, "not timed"),
        (Timing(problem="not timed: no device"), "not timed: no device"),
        (timed(1.0, 0.5), "too noisy"),
    ],
)
def test_what_cannot_be_concluded_is_not_measured(run: Make, timing: Timing | None, said: str) -> None:
    found = speedup(run, timing)
    assert found.status is CheckStatus.NOT_MEASURED and said in found.detail


@pytest.mark.parametrize("loss_ratio", [1.2, float("inf"), None])
def test_a_fast_run_that_trained_less_fails(run: Make, loss_ratio: float | None) -> None:
    assert speedup(run, timed(0.1, loss_ratio=loss_ratio)).reason == "timed_run_differs"
    assert speedup(run, timed(1.0, loss_ratio=0.8)).status is CheckStatus.PASS


def samples(seconds: float, loss: float | None, count: int = 4, **fields: Any) -> list[Sample]:
    return [Sample(step_s=seconds, loss=loss, **fields) for _ in range(count)]


def test_one_run_that_did_not_end_leaves_all_untimed() -> None:
    broken = [*samples(1.0, 1.0, 3), Sample(step_s=None, problem="exited with code 1")]
    for place, name in enumerate(("the loop", "the fp32 reference", "the TF32 reference")):
        arms = [samples(1.0, 1.0) for _ in range(3)]
        arms[place] = broken
        assert timing_of(*arms) == Timing(problem=f"{name} was not timed to its end: exited with code 1")


def test_the_loss_of_a_timed_run_is_held_to_the_timed_fp32_runs() -> None:
    assert timing_of(samples(1.0, 3.0), samples(2.0, 2.0), samples(2.0, 2.0)).loss_ratio == 1.5
    assert timing_of(samples(1.0, float("nan")), samples(2.0, 2.0), samples(2.0, 2.0)).loss_ratio == float("inf")
    assert timing_of(samples(1.0, None), samples(2.0, 2.0), samples(2.0, 2.0)).loss_ratio is None


def test_memory_goes_by_device_class_too(run: Make) -> None:
    pair = Paired([run(peak_bytes=600)], [run(peak_bytes=1000)], [run()], {}, None, "A100")
    assert check(Memory(max_ratio={"A100": 0.7}, required=True), pair).status is CheckStatus.PASS
    assert check(Memory(max_ratio={"A100": 0.5}, required=True), pair).reason == "too_much_memory"
    unknown = check(Memory(max_ratio={"H100": 0.5}, required=True), pair)
    assert (unknown.status, unknown.measured, unknown.required) == (CheckStatus.NOT_MEASURED, 0.6, False)
    assert unknown.source is Trust.SELF_REPORTED


def test_half_precision_may_be_unwanted(run: Make) -> None:
    asked = HalfPrecision(min_share=0.0, max_share=0.0)
    assert check(asked, Paired([run(half_share=0.0)], [run()], [run()], {})).status is CheckStatus.PASS
    assert check(asked, Paired([run(half_share=0.9)], [run()], [run()], {})).reason == "needless_half"
