"""Whether a text is Python at all, and how it is said where it is not."""

from __future__ import annotations

import symtable

from ampfix.lint.read import UnreadableError

NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python's parser, and an analysis of what it parsed, raise for a text they cannot take."""


def require_python(text: str) -> None:
    """Parse a text for nothing but its errors. Raises UnreadableError."""
    try:
        symtable.symtable(text, "<text>", "exec")  # the parser without the tree, which takes longer to build
    except NOT_PYTHON as error:
        raise UnreadableError(told(error)) from None


def told(error: Exception) -> str:
    """What one of these errors says about a file."""
    if isinstance(error, SyntaxError):
        return f"is not valid Python: line {error.lineno or 1}: {error.msg}"
    if isinstance(error, ValueError):
        return f"is not valid Python: {error}"
    return "is nested too deeply to be analysed; exclude the file"
