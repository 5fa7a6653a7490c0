"""Scorers: the verdict of execution, and the score of the explanation."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    NOANSWER,
    Score,
    Scorer,
    Target,
    accuracy,
    mean,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState

from ampfix.agents.diagnosis import diagnose
from ampfix.agents.inspect.answers import answer_of, key_of, scenario_of
from ampfix.agents.inspect.grading import grade


@scorer(metrics=[accuracy(), stderr(cluster="family")])
def execution(runner: str = "process", scenarios_dir: str | None = None) -> Scorer:
    """Whether the answer's loop passes: C or I, and N for an answer that holds nothing to run. Errors by family.

    runner: "process" or "docker", which needs the image of `ampfix image build`.
    """
    scenarios = Path(scenarios_dir) if scenarios_dir else None

    async def score(state: TaskState, target: Target) -> Score:
        del target  # every sample's is "pass"
        raw = await answer_of(state, scenario_of(state, scenarios))
        graded = await asyncio.to_thread(grade, key_of(state), raw, runner, scenarios)
        verdict = graded.verdict
        values = {"pass": CORRECT, "fail": INCORRECT, "invalid_answer": NOANSWER}
        return Score(
            value=values[verdict.status.value],
            answer="\n".join(graded.taken),
            explanation=f"{verdict.reason or verdict.status.value}: {verdict.detail}".rstrip(": "),
            metadata={"verdict": json.loads(verdict.to_json()), "diff": graded.diff},
        )

    return score


@scorer(metrics=[mean(), stderr(cluster="family")])
def diagnosis(scenarios_dir: str | None = None) -> Scorer:
    """How well the answer explains, 0 to 1: facts named, none for a false claim. Deterministic."""
    scenarios = Path(scenarios_dir) if scenarios_dir else None

    async def score(state: TaskState, target: Target) -> Score:
        del target
        spec = scenario_of(state, scenarios)
        text = (await answer_of(state, spec)).decode("utf-8", errors="replace")
        found = diagnose(text, spec, key_of(state).pressure)
        return Score(value=found.score or 0.0, metadata=json.loads(found.to_json()))

    return score
