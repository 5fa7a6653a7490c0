"""The model of the loss scale against a scaler that runs."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ampfix.watch.dynamics import Settings, Threshold, fit, forecast
from tests.watch.toy import half_loss, model


def measured(chosen: Settings, thresholds: list[float]) -> list[tuple[float, bool]]:
    """torch's own scaler over steps that overflow where the scale exceeds 2**threshold: scale and applied of each."""
    weight = torch.nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    scaler = torch.amp.GradScaler(
        "cpu", chosen.init_scale, chosen.growth_factor, chosen.backoff_factor, chosen.growth_interval
    )
    seen = []
    for threshold in thresholds:
        scaler.scale(weight * 1.0).backward()
        assert weight.grad is not None
        scale = scaler.get_scale()
        weight.grad.fill_(math.inf if math.log2(scale) > threshold else 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        seen.append((scale, math.log2(scale) <= threshold))
    return seen


def logistic(threshold: Threshold, steps: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    draws = (chance.uniform(1e-6, 1 - 1e-6) for _ in range(steps))
    return [threshold.middle + threshold.spread * math.log(draw / (1 - draw)) for draw in draws]


@pytest.mark.parametrize(
    ("chosen", "threshold"),
    [
        (Settings(2.0**16, 2.0, 0.5, 20), Threshold(11.3, 0.3)),
        (Settings(2.0**6, 2.0, 0.5, 10), Threshold(14.0, 0.5)),
        (Settings(2.0**12, 2.0, 0.5, 1), Threshold(12.6, 0.4)),
        (Settings(2.0**24, 1.5, 0.7, 15), Threshold(15.2, 0.6)),
        (Settings(2.0**16, 2.0, 0.25, 30), Threshold(13.1, 0.2)),
    ],
)
def test_settling_and_the_settled_scale_are_those_of_torchs_scaler(chosen: Settings, threshold: Threshold) -> None:
    told = forecast(chosen, threshold)
    runs = [measured(chosen, logistic(threshold, 600, seed)) for seed in range(6)]
    settled = [scale for run in runs for scale, _ in run[200:]]
    inside = [told.low <= scale <= told.high for scale in settled]
    assert sum(inside) / len(inside) > 0.85
    assert abs(math.log2(sorted(settled)[len(settled) // 2] / told.scale)) <= 1.0
    first = [next(step for step, (scale, _) in enumerate(run) if told.low <= scale <= told.high) for run in runs]
    assert sum(first) / len(first) == pytest.approx(told.settling, rel=0.3, abs=3)
    skipped = [not applied for run in runs for _, applied in run[200:]]
    assert sum(skipped) / len(skipped) == pytest.approx(told.skipped, rel=0.25, abs=0.01)


@settings(max_examples=10, deadline=None)
@given(st.floats(8, 24), st.floats(0.1, 0.8), st.integers(0, 99))
def test_the_threshold_is_found_in_the_attempts(middle: float, spread: float, seed: int) -> None:
    attempts = measured(Settings(2.0**16, 2.0, 0.5, 3), logistic(Threshold(middle, spread), 400, seed))
    found = fit(attempts)
    assert found is not None
    assert abs(found.middle - middle) < 1.0


def test_a_run_that_never_overflows_tells_no_threshold() -> None:
    assert fit([(1024.0, True)] * 9) is None
    assert fit([]) is None


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-20, 100), st.floats(1.01, 16), st.floats(0.02, 0.98), st.integers(1, 5000), st.floats(-5, 30),
    st.floats(0.05, 4),
)  # fmt: skip
def test_any_settings_have_a_forecast(
    init: float, growth: float, backoff: float, interval: int, middle: float, spread: float
) -> None:
    told = forecast(Settings(2.0**init, growth, backoff, interval), Threshold(middle, spread))
    assert told.low <= told.scale <= told.high
    assert 0 <= told.skipped <= 1
    assert told.settling >= 0
    assert told.first >= 0


@pytest.mark.parametrize(
    "refused", [Settings(0.0), Settings(growth_factor=1.0), Settings(backoff_factor=1.0), Settings(growth_interval=0)]
)
def test_settings_that_torch_refuses_have_none(refused: Settings) -> None:
    with pytest.raises(ValueError, match=r"scale|factor"):
        forecast(refused, Threshold(10.0, 0.5))


def test_one_run_predicts_another_with_other_settings() -> None:
    """Train in float16; the threshold that one run shows says where the scale of another one goes."""

    def attempts(chosen: Settings) -> list[tuple[float, bool]]:
        net, seen = model(), []
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        scaler = torch.amp.GradScaler("cpu", chosen.init_scale, growth_interval=chosen.growth_interval)
        for step in range(160):
            optimizer.zero_grad()
            scaler.scale(half_loss(net, step % 40)).backward()
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            seen.append((scale, scaler.get_scale() >= scale))
        return seen

    threshold = fit(attempts(Settings(2.0**16, growth_interval=2)))
    assert threshold is not None
    other = Settings(2.0**26, growth_interval=10)
    told, seen = forecast(other, threshold), attempts(other)
    settled = sorted(scale for scale, _ in seen[60:])
    assert abs(math.log2(settled[len(settled) // 2] / told.scale)) <= 1.0
    first = next(step for step, (scale, _) in enumerate(seen) if scale <= told.high)
    assert first == pytest.approx(told.settling, abs=3)
