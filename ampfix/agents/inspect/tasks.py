"""The tasks: repair a loop, and review one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inspect_ai import Epochs, Task, task
from inspect_ai.agent import AgentPrompt, react
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver, generate
from inspect_ai.tool import bash

from ampfix.agents.answers import Mode
from ampfix.agents.inspect.container import NAME as DOCKER
from ampfix.agents.inspect.explanation import explanation
from ampfix.agents.inspect.samples import dataset
from ampfix.agents.inspect.sandbox import NAME as JAIL
from ampfix.agents.inspect.scorers import diagnosis, execution
from ampfix.agents.pressures import NEUTRAL

VERSION = 1
"""Goes up when scores of a task cannot be compared with earlier ones."""

_COMMAND_S = 300
_DOCKER = {"docker": DOCKER}
"""Names that stand for a sandbox of ours: Inspect's own docker provider knows no image with torch."""


@task
def amp_repair(
    scenarios: str | Sequence[str] | None = None,
    pressures: str | Sequence[str] = NEUTRAL,
    mode: str = "patch",
    sandbox: str = JAIL,
    runner: str = "process",
    epochs: int = 1,
    solver: Solver | None = None,
    explained_by: str | None = None,
    scenarios_dir: str | None = None,
) -> Task:
    """Repair a mixed-precision training loop; judged by running it.

    mode: "patch" asks for a diff; "workspace" gives an agent a shell in a sandbox. sandbox: "ampfix_jail", or "docker"
    for a container of the image that `ampfix image build` makes. runner: where answers are graded, "process" or
    "docker". explained_by: a model that scores the explanation, too.
    """
    chosen = Mode(mode)
    agent = react(prompt=AgentPrompt(), tools=[bash(timeout=_COMMAND_S)]) if chosen is Mode.WORKSPACE else generate()
    return Task(
        dataset=dataset(scenarios, pressures, chosen, Path(scenarios_dir) if scenarios_dir else None),
        solver=solver or agent,
        scorer=_scorers(runner, scenarios_dir, explained_by),
        sandbox=_DOCKER.get(sandbox, sandbox) if chosen is Mode.WORKSPACE else None,
        epochs=_epochs(epochs),
        version=VERSION,
    )


@task
def amp_review(
    scenarios: str | Sequence[str] | None = None,
    pressures: str | Sequence[str] = NEUTRAL,
    runner: str = "process",
    epochs: int = 1,
    solver: Solver | None = None,
    explained_by: str | None = None,
    scenarios_dir: str | None = None,
) -> Task:
    """Review a mixed-precision training loop in words, and in code where something must change.

    runner, explained_by: as in amp_repair.
    """
    return Task(
        dataset=dataset(scenarios, pressures, Mode.REVIEW, Path(scenarios_dir) if scenarios_dir else None),
        solver=solver or generate(),
        scorer=_scorers(runner, scenarios_dir, explained_by),
        epochs=_epochs(epochs),
        version=VERSION,
    )


def _scorers(runner: str, scenarios_dir: str | None, explained_by: str | None) -> list[Scorer]:
    opinion = [explanation(explained_by, scenarios_dir)] if explained_by else []
    return [execution(runner, scenarios_dir), diagnosis(scenarios_dir), *opinion]


def _epochs(count: int) -> Epochs:
    """With several, the chance that one of two passes beside the mean."""
    return Epochs(count, ["mean", "pass_at_2"] if count > 1 else "mean")
