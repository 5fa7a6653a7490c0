"""From an answer as it was given to the files that will run.

An answer is a whole file, a unified diff, Markdown with code, JSON, or pieces of code. `take` says what was taken of
it; where that would be a guess it refuses.
"""

from ampfix.agents.answers.extraction import Mode, Question, take

__all__ = ["Mode", "Question", "take"]
