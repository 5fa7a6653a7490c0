"""A solver that gives stored answers back: grading without a model."""

from __future__ import annotations

from pathlib import Path

from inspect_ai.model import ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from ampfix.agents.predictions import answer_bytes, index


@solver
def replay(predictions: str) -> Solver:
    """Answer each sample with the stored one for its scenario, pressure and epoch; use with `--model none/none`.

    A sample without a stored answer gets an empty one. Raises OSError and PredictionError.
    """
    path = Path(predictions)
    lines = {
        (each.key.scenario_id, each.key.pressure, each.key.sample): each for each in index(path) if each.problem is None
    }

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        del generate
        line = lines.get((state.metadata["scenario_id"], state.metadata["pressure"], state.epoch - 1))
        text = answer_bytes(path, line).decode("utf-8", errors="replace") if line is not None else ""
        state.output = ModelOutput.from_content(line.key.model if line is not None else "replay", text)
        return state

    return solve
