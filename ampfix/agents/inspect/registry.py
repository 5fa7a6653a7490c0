"""What Inspect AI finds when it loads ampfix's entry point."""

from ampfix.agents.inspect.container import ContainerSandbox
from ampfix.agents.inspect.explanation import explanation
from ampfix.agents.inspect.sandbox import JailSandbox
from ampfix.agents.inspect.scorers import diagnosis, execution
from ampfix.agents.inspect.solvers import replay
from ampfix.agents.inspect.tasks import amp_repair, amp_review

__all__ = [
    "ContainerSandbox",
    "JailSandbox",
    "amp_repair",
    "amp_review",
    "diagnosis",
    "execution",
    "explanation",
    "replay",
]
