"""A file as the program in it: a Python file is its own text, a notebook's cells make one.

Analysis and repair see the program; what is shown and written speaks of the file.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Protocol

from ampfix.extras import DEBUG_VARIABLE
from ampfix.findings import Finding, Span
from ampfix.lint.checked import Checked
from ampfix.lint.discover import is_notebook
from ampfix.lint.read import UnreadableError, decode
from ampfix.lint.settings import Settings
from ampfix.records import replace

if TYPE_CHECKING:
    from ampfix.lint.project import Project


class Document(Protocol):
    """text: the program. Lines are counted in the program, or, with a cell, in the file's own way of telling places."""

    text: str

    def locate(self, span: Span) -> tuple[int | None, Span]:
        """The cell (None outside notebooks) and the place in it."""

    def line(self, number: int, cell: int | None) -> str:
        """A line as it stands in the file, without its end."""

    def file_line(self, number: int, cell: int | None) -> int:
        """The line of the file that holds a line of a cell."""

    def describe(self, error: SyntaxError) -> str:
        """Where the program is wrong, and how."""

    def source(self, text: str) -> str:
        """The file's text where its program becomes `text`. Raises ValueError where that cannot be."""


class PythonFile:
    """The file is the program."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines: list[str] | None = None

    def locate(self, span: Span) -> tuple[int | None, Span]:
        return None, span

    def line(self, number: int, cell: int | None) -> str:  # noqa: ARG002
        if self._lines is None:
            self._lines = re.split(r"\r\n|\r|\n", self.text)
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def file_line(self, number: int, cell: int | None) -> int:  # noqa: ARG002
        return number

    def describe(self, error: SyntaxError) -> str:
        return f"line {error.lineno or 1}: {error.msg}"

    def source(self, text: str) -> str:
        return text


def open_document(data: bytes, path: str) -> Document:
    """The program in a file's bytes. Raises UnreadableError."""
    if not is_notebook(path):
        return PythonFile(decode(data))
    from ampfix.lint.notebook import Notebook  # most projects have none

    return Notebook(data)


def check_document(document: Document, path: str, settings: Settings, project: Project | None = None) -> Checked:
    """The findings in a program, at its own places. Raises UnreadableError for what is not Python, or makes us fail."""
    from ampfix.lint.engine import check_text  # reports open documents too, without analysing them

    try:
        return check_text(document.text, path, settings, project)
    except Exception as error:
        if not isinstance(error, UnreadableError):
            if os.environ.get(DEBUG_VARIABLE):
                raise
            # A fault of ours in one file must not cost the findings in all others.
            said = f"internal error: {type(error).__name__}: {error} (set {DEBUG_VARIABLE}=1 to see where)"
            raise UnreadableError(f"could not be analysed: {' '.join(said.split())}") from error
        raise _placed(error, document) from None


def require_syntax(document: Document) -> None:
    """Raises UnreadableError for a program that is not Python."""
    from ampfix.lint.syntax import require_python  # reports open documents too, without parsing them

    try:
        require_python(document.text)
    except UnreadableError as error:
        raise _placed(error, document) from None


def _placed(error: UnreadableError, document: Document) -> UnreadableError:
    """The error, told at its place in the file."""
    cause = error.__context__
    if not isinstance(cause, SyntaxError):
        return error
    return UnreadableError(f"is not valid Python: {document.describe(cause)}")


def located(finding: Finding, document: Document) -> Finding:
    """The finding at its place in the file. Its repair stays located in the program."""
    if isinstance(document, PythonFile):
        return finding
    cell, span = document.locate(finding.span)
    points = []
    for point in finding.trace:
        at = document.locate(point.span) if point.path == finding.path else (point.cell, point.span)
        points.append(replace(point, cell=at[0], span=at[1]))
    return replace(finding, cell=cell, span=span, trace=tuple(points))
