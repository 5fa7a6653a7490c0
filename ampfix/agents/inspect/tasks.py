"""The tasks: repair a loop, and review one."""

from __future__ import annotations

from collections.abc import Sequence

from inspect_ai import Epochs, Task, task
from inspect_ai.agent import AgentPrompt, react
from inspect_ai.solver import Solver, generate
from inspect_ai.tool import bash

from ampfix.agents.answers import Mode
from ampfix.agents.inspect.samples import dataset
from ampfix.agents.inspect.sandbox import NAME
from ampfix.agents.inspect.scorers import diagnosis, execution
from ampfix.agents.pressures import NEUTRAL

VERSION = 1
"""Goes up when scores of a task cannot be compared with earlier ones."""

_COMMAND_S = 300


@task
def amp_repair(
    scenarios: str | Sequence[str] | None = None,
    pressures: str | Sequence[str] = NEUTRAL,
    mode: str = "patch",
    sandbox: str = NAME,
    epochs: int = 1,
    solver: Solver | None = None,
) -> Task:
    """Repair a mixed-precision training loop; judged by running it.

    mode: "patch" asks for a diff; "workspace" gives an agent a shell in a sandbox (the jail, or docker).
    """
    chosen = Mode(mode)
    agent = react(prompt=AgentPrompt(), tools=[bash(timeout=_COMMAND_S)]) if chosen is Mode.WORKSPACE else generate()
    return Task(
        dataset=dataset(scenarios, pressures, chosen),
        solver=solver or agent,
        scorer=[execution(), diagnosis()],
        sandbox=sandbox if chosen is Mode.WORKSPACE else None,
        epochs=_epochs(epochs),
        version=VERSION,
    )


@task
def amp_review(
    scenarios: str | Sequence[str] | None = None,
    pressures: str | Sequence[str] = NEUTRAL,
    epochs: int = 1,
    solver: Solver | None = None,
) -> Task:
    """Review a mixed-precision training loop in words, and in code where something must change."""
    return Task(
        dataset=dataset(scenarios, pressures, Mode.REVIEW),
        solver=solver or generate(),
        scorer=[execution(), diagnosis()],
        epochs=_epochs(epochs),
        version=VERSION,
    )


def _epochs(count: int) -> Epochs:
    """With several, the chance that one of two passes beside the mean."""
    return Epochs(count, ["mean", "pass_at_2"] if count > 1 else "mean")
