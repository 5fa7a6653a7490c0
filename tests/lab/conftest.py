"""What the lab's tests share: the toy scenario, measurements made by hand, and one pair of warm servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ampfix.lab.measurement import Measurement
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import ScenarioSpec, find
from ampfix.lab.verdict import Isolation

SCENARIOS = Path(__file__).parent.parent / "golden" / "scenarios"


@pytest.fixture(scope="session")
def toy() -> ScenarioSpec:
    return find("toy", SCENARIOS)


@pytest.fixture(scope="session")
def runner() -> Iterator[ProcessRunner]:
    with ProcessRunner() as process_runner:
        yield process_runner


@pytest.fixture
def run() -> Callable[..., Measurement]:
    """A measurement with plausible figures of a right loop; keywords replace them."""

    def make(**figures: Any) -> Measurement:
        right: dict[str, Any] = {
            "seed": 1,
            "isolation": Isolation(level="namespaces"),
            "wall_s": 0.1,
            "loss": 1.0,
            "trajectory": 0.01,
            "fp32_distance": 1e-3,
            "travelled": 1.0,
            "attempts": 100,
            "skipped": 0,
            "flops": 1e6,
            "half_share": 0.9,
        }
        return Measurement(**(right | figures))

    return make
