"""What Inspect AI finds when it loads ampfix's entry point."""

from ampfix.agents.inspect.sandbox import JailSandbox
from ampfix.agents.inspect.scorers import diagnosis, execution
from ampfix.agents.inspect.solvers import replay
from ampfix.agents.inspect.tasks import amp_repair, amp_review

__all__ = ["JailSandbox", "amp_repair", "amp_review", "diagnosis", "execution", "replay"]
