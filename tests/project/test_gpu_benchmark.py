"""The statistics of the GPU benchmark, which need no GPU."""

from __future__ import annotations

import importlib.util
import random
from types import ModuleType

import pytest

from .modules import ROOT


@pytest.fixture(scope="module")
def step_time() -> ModuleType:
    spec = importlib.util.spec_from_file_location("step_time", ROOT / "benchmarks" / "gpu" / "step_time.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noisy(centre: float, width: float, seed: int) -> list[float]:
    generator = random.Random(seed)
    return [centre * (1 + generator.uniform(-width, width)) for _ in range(200)]


def test_a_steady_drift_falls_on_every_arm_alike(step_time: ModuleType) -> None:
    order = list(step_time.interleaved(("a", "b", "c"), 4))
    assert {arm: sum(place for place, name in enumerate(order) if name == arm) for arm in "abc"} == {
        "a": order.count("a") * (len(order) - 1) / 2,
        "b": order.count("b") * (len(order) - 1) / 2,
        "c": order.count("c") * (len(order) - 1) / 2,
    }


def test_the_interval_holds_the_true_ratio(step_time: ModuleType) -> None:
    low, high = step_time.ratio_interval(noisy(2.0, 0.05, 1), noisy(1.0, 0.05, 2))
    assert low < 2.0 < high and high - low < 0.1


@pytest.mark.parametrize(
    ("interval", "noise", "said"),
    [
        ((1.2, 1.4), 0.02, "faster"),
        ((1.04, 1.4), 0.02, "no_speedup_shown"),
        ((0.8, 0.9), 0.02, "no_speedup_shown"),
        ((1.2, 1.4), 0.3, "too_noisy"),
    ],
)
def test_a_speedup_is_claimed_only_when_shown(step_time: ModuleType, interval, noise, said) -> None:
    assert step_time.conclusion(interval, noise) == said


def test_the_gain_over_tf32_is_told_beside_the_gain_over_fp32(step_time: ModuleType) -> None:
    found = step_time.summary({"fp32": noisy(4, 0.02, 3), "tf32": noisy(2, 0.02, 4), "amp": noisy(2, 0.02, 5)})
    assert found["fp32/amp"]["conclusion"] == "faster"
    assert found["tf32/amp"]["conclusion"] == "no_speedup_shown"
