"""Some scenarios under watch, which is not told which they are; benchmarks/watch_scenarios.py runs all."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ampfix.lab.spec import find

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_scenarios", ROOT / "benchmarks" / "watch_scenarios.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "scenario",
    ["bce-in-region", "box-area-in-half", "inputs-cast-to-half", "rank-skips-alone", "region-for-another-device"],
)
def test_the_bug_is_named_and_gold_is_quiet(benchmark: ModuleType, scenario: str) -> None:
    spec = find(scenario)
    gold = benchmark.judged(spec, spec.gold_files(), 5)
    found = benchmark.row(spec, benchmark.judged(spec, spec.loop_files(), 5), gold)
    assert found["named"], found
    assert found["first"] <= found["faulty"] + 1
    assert found["exact"] is not False
    assert gold.alarms == []
