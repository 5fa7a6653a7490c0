"""What is asked about a scenario: one neutral request, or the same under a pressure, in each mode."""

from ampfix.agents.prompts.rendering import Prompt, grading_request, render

__all__ = ["Prompt", "grading_request", "render"]
