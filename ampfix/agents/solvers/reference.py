"""Agents that need no model: the floor, the ceiling, ampfix's own repairs, and what popular guides advise."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from ampfix.agents.prompts import Prompt
from ampfix.agents.solvers.base import Reply, Solver
from ampfix.agents.solvers.folklore import advised
from ampfix.findings import Applicability
from ampfix.lab import witness
from ampfix.lab.spec import ScenarioSpec


class ReferenceSolver(Solver):
    """Answers every request about a scenario with the same files, made once."""

    def __init__(self, name: str, answer: Callable[[ScenarioSpec], Mapping[str, str]]) -> None:
        self.name = name
        self._answer = answer
        self._given: dict[str, str] = {}  # by scenario

    def solve(self, spec: ScenarioSpec, prompt: Prompt) -> Reply:
        del prompt  # these do not read
        if spec.id not in self._given:
            self._given[spec.id] = json.dumps({"files": dict(self._answer(spec))})
        return Reply(answer=self._given[spec.id])


def _codemod(spec: ScenarioSpec) -> Mapping[str, str]:
    """What `fix` makes of the loop; with unsafe repairs where the scenario's repair is one."""
    unsafe = (Applicability.UNSAFE,) if spec.codemod == "unsafe" else ()
    return witness.repaired(spec.loop_files(), (Applicability.SAFE, *unsafe))


def _folklore(spec: ScenarioSpec) -> Mapping[str, str]:
    return {name: advised(text) for name, text in spec.loop_files().items()}


REFERENCE_AGENTS: dict[str, tuple[str, Callable[[ScenarioSpec], Mapping[str, str]]]] = {
    "nop": ("changes nothing", ScenarioSpec.loop_files),
    "gold": ("gives the scenario's own repair", ScenarioSpec.gold_files),
    "codemod": ("gives what `ampfix fix` makes of the loop", _codemod),
    "folklore": ("does what popular guides advise, whatever the loop", _folklore),
}
"""Name -> what it does, and how."""


def reference_agent(name: str) -> Solver:
    """One of REFERENCE_AGENTS. Raises KeyError."""
    return ReferenceSolver(name, REFERENCE_AGENTS[name][1])
