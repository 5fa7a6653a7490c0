"""Who answers: a command that is given a folder, or one of the reference agents that ship with ampfix."""

from ampfix.agents.solvers.base import Reply, Solver
from ampfix.agents.solvers.command import CommandSolver
from ampfix.agents.solvers.reference import REFERENCE_AGENTS, reference_agent

__all__ = ["REFERENCE_AGENTS", "CommandSolver", "Reply", "Solver", "reference_agent"]
