"""The texts behind findings, read again only where a report shows a line or asks for a repair."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ampfix.findings import Edit, Finding, Position, Span
from ampfix.lint.document import Document, open_document
from ampfix.records import dataclass


@dataclass(frozen=True)
class LocatedEdit:
    """An edit at its place in a file; in a notebook the place counts in a cell's own lines."""

    edit: Edit
    cell: int | None


class Documents:
    """Opens each file once. stdin: the bytes of what does not lie in a file, by the name it was given."""

    def __init__(self, stdin: Mapping[str, bytes] | None = None) -> None:
        self._stdin = stdin or {}
        self._open: dict[str, Document] = {}

    def of(self, path: str) -> Document:
        if path not in self._open:
            data = self._stdin[path] if path in self._stdin else Path(path).read_bytes()
            self._open[path] = open_document(data, path)
        return self._open[path]

    def line(self, finding: Finding) -> str:
        """The source line on which a finding begins."""
        return self.of(finding.path).line(finding.span.start.line, finding.cell)

    def region(self, path: str, cell: int | None, span: Span) -> Span:
        """A place in the lines of the file itself; in a notebook these are whole lines of its JSON."""
        if cell is None:
            return span
        first = self.of(path).file_line(span.start.line, cell)
        last = self.of(path).file_line(span.end.line, cell)
        return Span(Position(first, 1), Position(last + 1, 1))

    def edits(self, finding: Finding) -> tuple[LocatedEdit, ...]:
        """The edits of a finding's repair, in the lines of the program or of its cells. Raises CannotRepair."""
        document = self.of(finding.path)
        return tuple(_located(edit, document) for edit in self._edits(document.text, self._repaired(finding)))

    def file_edits(self, finding: Finding) -> tuple[Edit, ...]:
        """The same edits in the lines of the file itself. Raises CannotRepair."""
        document = self.of(finding.path)
        from ampfix.codemods import CannotRepair

        try:
            after = document.source(self._repaired(finding))
        except ValueError as error:
            raise CannotRepair(str(error)) from None
        return self._edits(document.source(document.text), after)

    def _repaired(self, finding: Finding) -> str:
        # Codemods are loaded here, where edits are asked for: the other formats start without them.
        from ampfix.codemods import carry_out

        assert finding.repair is not None, "asked only for findings with a repair"
        return carry_out(self.of(finding.path).text, finding.repair)

    @staticmethod
    def _edits(before: str, after: str) -> tuple[Edit, ...]:
        from ampfix.codemods import edits_between

        return edits_between(before, after)


def _located(edit: Edit, document: Document) -> LocatedEdit:
    cell, span = document.locate(edit.span)
    return LocatedEdit(Edit(span, edit.text), cell)


def last_line(region: Span) -> int:
    """The last line that a region reaches into; one that ends before a line's first column does not reach it."""
    return region.end.line if region.end.column > 1 or region.end.line == region.start.line else region.end.line - 1


def below_here(path: str) -> str:
    """A path as services want it: with forward slashes, and relative where it lies below the current directory."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        relative = ".."
    outside = relative == ".." or relative.startswith(f"..{os.sep}")
    return (str(Path(path).absolute()) if outside else relative).replace(os.sep, "/")


def fingerprints(findings: tuple[Finding, ...]) -> Iterator[str]:
    """An identity for each finding that survives edits elsewhere in its file."""
    from hashlib import blake2b

    seen: dict[str, int] = {}
    for finding in findings:
        said = "\0".join((below_here(finding.path), finding.code, finding.symbol, finding.message))
        count = seen[said] = seen.get(said, -1) + 1
        yield blake2b(f"{said}\0{count}".encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
