"""Repairs a file or notebook in memory, and tells what was and was not repaired at places of the result."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.files import encode_as
from ampfix.codemods.fixpoint import Outcome, Unfixed, fix_text
from ampfix.findings import Applicability, Finding
from ampfix.lint.document import Document, PythonFile, check_document, located, open_document
from ampfix.lint.project import Project
from ampfix.lint.settings import Settings

Check = Callable[[str], list[Finding]]


@dataclass(frozen=True)
class Repaired:
    """One file with findings: its text before and after, and what became of each finding."""

    before: str
    after: str
    fixed: tuple[Finding, ...]
    unfixed: tuple[Unfixed, ...]

    @property
    def changed(self) -> bool:
        return self.before != self.after


def repair(
    data: bytes,
    path: str,
    settings: Settings,
    allowed: Collection[Applicability] = (Applicability.SAFE,),
    project: Project | None = None,
) -> Repaired | None:
    """Repair what is found in a file's bytes; None where nothing is. Raises UnreadableError, as checking does."""
    document = open_document(data, path)
    first = check_document(document, path, settings, project).findings
    if not first:
        return None

    def check(text: str) -> list[Finding]:
        if text == document.text:
            return list(first)
        return list(check_document(PythonFile(text), path, settings, project).findings)

    outcome = fix_text(document.text, check, allowed, settings.is_fixable, partial(_accept, document))
    return _told(outcome, document, data, path)


def _accept(document: Document, text: str) -> None:
    try:
        document.source(text)
    except ValueError as error:
        raise CannotRepair(str(error)) from None


def _told(outcome: Outcome, document: Document, data: bytes, path: str) -> Repaired:
    before, after = document.source(document.text), document.source(outcome.text)
    result = open_document(encode_as(data, after), path) if before != after else document
    unfixed = tuple(Unfixed(located(left.finding, result), left.reason) for left in outcome.unfixed)
    return Repaired(before, after, outcome.fixed, unfixed)
