"""What is asked about a scenario: one neutral request, or the same under a pressure, in each mode."""

from ampfix.agents.prompts.rendering import Prompt, render

__all__ = ["Prompt", "render"]
