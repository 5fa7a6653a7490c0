"""Scorers: the verdict of execution, and the score of the explanation."""

from __future__ import annotations

import asyncio
import json
from typing import Any

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
from inspect_ai.util import sandbox

from ampfix.agents.answers import Mode
from ampfix.agents.diagnosis import diagnose
from ampfix.agents.inspect.grading import grade
from ampfix.agents.predictions import Key
from ampfix.lab.spec import find
from ampfix.lab.submission import LARGEST_ANSWER


@scorer(metrics=[accuracy(), stderr(cluster="family")])
def execution(runner: str = "process") -> Scorer:
    """Whether the answer's loop passes: C or I, and N for an answer that holds nothing to run. Errors by family."""

    async def score(state: TaskState, target: Target) -> Score:
        del target  # every sample's is "pass"
        key = _key(state)
        raw = await _answer(state)
        graded = await asyncio.to_thread(grade, key, raw, runner)
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
def diagnosis() -> Scorer:
    """How well the answer explains, 0 to 1: facts named, none for a false claim. Deterministic."""

    async def score(state: TaskState, target: Target) -> Score:
        del target
        text = (await _answer(state)).decode("utf-8", errors="replace")
        found = diagnose(text, find(_key(state).scenario_id), _key(state).pressure)
        return Score(value=found.score or 0.0, metadata=json.loads(found.to_json()))

    return score


def _key(state: TaskState) -> Key:
    about = state.metadata
    return Key(
        scenario_id=about["scenario_id"], model=str(state.model), pressure=about["pressure"], mode=Mode(about["mode"]),
        sample=state.epoch - 1,
    )  # fmt: skip


async def _answer(state: TaskState) -> bytes:
    """What a model said, or the files as it left them."""
    if state.metadata["mode"] != Mode.WORKSPACE.value:
        return state.output.completion.encode("utf-8", errors="surrogatepass")
    original = find(state.metadata["scenario_id"]).loop_files()
    said = await _file("ANSWER.md")
    fields: dict[str, Any] = {"diagnosis": said if said is not None else state.output.completion}
    files = {name: await _file(name) for name in original}
    changed = {name: text for name, text in files.items() if text is not None and text != original[name]}
    return json.dumps({**fields, **({"files": changed} if changed else {})}).encode()


async def _file(name: str) -> str | None:
    """A file of the sandbox; None where it is gone, no text or too large: the loop is then as it was."""
    try:
        raw: bytes = await sandbox().read_file(name, text=False)
        return raw.decode("utf-8-sig") if len(raw) <= LARGEST_ANSWER else None
    except (OSError, UnicodeDecodeError):
        return None
