"""What an editor offers to do about findings: repair one, silence one, repair all that is safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lsprotocol import types

from ampfix.codemods import edits_between
from ampfix.codemods.edits import split_lines
from ampfix.findings import Applicability, Edit, Finding, Position, Span
from ampfix.lsp.analysis import Analysis, Analyst
from ampfix.lsp.places import Places

FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.ampfix"


def code_actions(
    analyst: Analyst,
    analysis: Analysis,
    places: Places,
    diagnostics: Mapping[int, types.Diagnostic],
    target: types.OptionalVersionedTextDocumentIdentifier,
    context: types.CodeActionContext,
) -> Iterator[types.CodeAction]:
    """Actions for the findings with these indexes, and for the whole text, of the kinds the editor asks for."""

    def action(title: str, kind: str, after: str, diagnostic: types.Diagnostic | None = None) -> types.CodeAction:
        edits = [places.edit(edit) for edit in edits_between(analysis.text, after)]
        change = types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(target, list(edits))])
        return types.CodeAction(title, kind, [diagnostic] if diagnostic else None, edit=change)

    if _asked(types.CodeActionKind.QuickFix.value, context):
        for index, diagnostic in diagnostics.items():
            finding = analysis.findings[index]
            after = analyst.repaired(analysis, finding)
            if after is not None and finding.repair is not None:
                safe = finding.repair.applicability is Applicability.SAFE
                title = finding.repair.message if safe else f"{finding.repair.message} (may change what you want)"
                made = action(f"{finding.code}: {title}", types.CodeActionKind.QuickFix.value, after, diagnostic)
                made.is_preferred = safe
                yield made
        for index, diagnostic in diagnostics.items():
            code = analysis.findings[index].code
            silenced = _silenced(analysis, analysis.findings[index])
            if analyst.silences(analysis, analysis.findings[index], silenced):
                yield action(f"{code}: silence here", types.CodeActionKind.QuickFix.value, silenced, diagnostic)
    if _asked(FIX_ALL, context):
        repaired = analyst.all_repaired(analysis)
        if repaired != analysis.text:
            yield action("ampfix: repair all that is safe", FIX_ALL, repaired)


def _asked(kind: str, context: types.CodeActionContext) -> bool:
    """Whether the editor wants actions of a kind: it names kinds or their beginnings, or nothing for all."""
    wanted = [getattr(only, "value", only) for only in context.only or ()]
    return not wanted or any(kind == only or kind.startswith(f"{only}.") for only in wanted)


def _silenced(analysis: Analysis, finding: Finding) -> str:
    """The text with a comment behind the finding's last line; no comment where a backslash or a string ends it."""
    from ampfix.codemods import apply_edits

    number = finding.span.end.line
    line = split_lines(analysis.text)[number - 1].rstrip("\r\n")
    if "# noqa:" in line:
        at = len(line.rstrip())
        return apply_edits(analysis.text, [_insert(number, at, f", {finding.code}")])
    return apply_edits(analysis.text, [_insert(number, len(line), f"  # noqa: {finding.code}")])


def _insert(line: int, at: int, text: str) -> Edit:
    place = Position(line, at + 1)
    return Edit(Span(place, place), text)
