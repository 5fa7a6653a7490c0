"""A model's opinion of an answer's explanation, by the same facts and claims as the deterministic score.

It stands beside the other scores and enters no verdict.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from pathlib import Path
from typing import Any

from inspect_ai.model import Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ampfix.agents.diagnosis import scored
from ampfix.agents.inspect.answers import answer_of, scenario_of
from ampfix.agents.prompts import grading_request

_LONGEST = 40_000  # characters of an answer that a model is shown


class NoOpinion(ValueError):
    """A model's reply that is not what was asked for; the message is one line."""


@scorer(metrics=[mean(), stderr(cluster="family")])
def explanation(model: str | Model | None = None, scenarios_dir: str | None = None) -> Scorer:
    """How well the answer explains, 0 to 1, by a model's reading of it.

    model: the one that judges; None takes the role "grader", or the model under evaluation where there is none. A
    reply that cannot be read leaves the sample without a score (NaN).
    """

    async def score(state: TaskState, target: Target) -> Score:
        del target
        judge = get_model(model) if model is not None else get_model(role="grader")
        spec = scenario_of(state, Path(scenarios_dir) if scenarios_dir else None)
        text = (await answer_of(state, spec)).decode("utf-8", errors="replace")[:_LONGEST]
        said = (await judge.generate(grading_request(spec, text, f"=== {secrets.token_hex(8)} ==="))).completion
        try:
            opinion = read_opinion(said)
        except NoOpinion as error:
            return Score(value=math.nan, explanation=str(error), metadata={"said": said[:2000]})
        found = scored(spec, opinion["facts"], opinion["claims"])
        return Score(value=found.score or 0.0, explanation=said[:2000], metadata=json.loads(found.to_json()))

    return score


def read_opinion(text: str) -> dict[str, list[str]]:
    """The ids of facts and claims in a model's reply: the last JSON object with both. Raises NoOpinion."""
    for found in reversed(re.findall(r"\{[^{}]*\}", text)):
        try:
            fields: dict[str, Any] = json.loads(found)
        except ValueError:
            continue
        lists = {name: fields.get(name) for name in ("facts", "claims")}
        if all(isinstance(each, list) and all(isinstance(item, str) for item in each) for each in lists.values()):
            return {name: list(each or []) for name, each in lists.items()}
    raise NoOpinion("the grading model gave no JSON object with lists 'facts' and 'claims'")
