"""The interface of an agent."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ampfix.agents.predictions import Usage
from ampfix.agents.prompts import Prompt
from ampfix.lab.models import Model
from ampfix.lab.problem import Problem
from ampfix.lab.spec import ScenarioSpec


class Reply(Model):
    """An answer as text, or the problem that there is none."""

    answer: str = ""
    usage: Usage = Usage()
    problem: Problem | None = None


class Solver(ABC):
    """An agent. Thread-safe: several requests may be under way at once."""

    name: str

    @abstractmethod
    def solve(self, spec: ScenarioSpec, prompt: Prompt) -> Reply:
        """Answer one request. What goes wrong on the agent's side is a Reply with a problem, not an exception."""
