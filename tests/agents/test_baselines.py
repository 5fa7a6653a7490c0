"""docs/baselines.md says what the committed result file says, and that is what reference agents must reach."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def baselines() -> ModuleType:
    spec = importlib.util.spec_from_file_location("baselines", ROOT / "benchmarks" / "baselines.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(baselines: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(baselines.RESULTS.read_text(encoding="utf-8"))
    return found


def passed(results: dict[str, Any], agent: str, kind: str) -> list[bool]:
    found = results["agents"][agent]["scenarios"]
    return [
        all(each["status"] == "pass" for each in found[name]) for name, of in results["kinds"].items() if of == kind
    ]


def test_the_page_is_made_from_the_result_file(baselines: ModuleType, results: dict[str, Any]) -> None:
    assert baselines.PAGE.read_text(encoding="utf-8") == baselines.page(results), "run make baselines"


def test_gold_passes_everything_and_doing_nothing_repairs_nothing(results: dict[str, Any]) -> None:
    for kind in ("bug", "decoy", "control"):
        assert all(passed(results, "gold", kind))
    assert not any(passed(results, "nop", "bug")) and not any(passed(results, "nop", "decoy"))
    assert all(passed(results, "nop", "control"))
    assert all(found["rate"]["infra"] == 0 for found in results["agents"].values())


def test_advice_lies_between_them(results: dict[str, Any]) -> None:
    folklore, codemod = (sum(passed(results, agent, "bug")) for agent in ("folklore", "codemod"))
    assert 0 < folklore < codemod < len(passed(results, "gold", "bug"))
    assert not all(passed(results, "folklore", "control"))


def test_equal_answers_are_graded_once(results: dict[str, Any]) -> None:
    for found in results["agents"].values():
        assert all(len(verdicts) == 1 for verdicts in found["scenarios"].values())
        assert found["distinct_answers"] == len(results["kinds"])
        assert found["rate"]["n"] > 10 * found["distinct_answers"]
