"""The language server: diagnostics as one types, the rule's page on hover, and quick fixes from the repairs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from ampfix import __version__
from ampfix.findings import Finding, Severity
from ampfix.lint.config import FILE, Configuration
from ampfix.lsp.actions import code_actions
from ampfix.lsp.analysis import Analysis, Analyst
from ampfix.lsp.places import Places, covers
from ampfix.rules import all_rules
from ampfix.rules._pages import page

DELAY = 0.2  # seconds of rest after a key before a text is checked
_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.NOTE: types.DiagnosticSeverity.Information,
}


class Server(LanguageServer):
    """Keeps the latest analysis of each open text. One thread analyses, so that the server goes on answering."""

    def __init__(self, configure: Callable[[], Configuration]) -> None:
        # Whole texts: incremental changes would be counted in lines that end at form feeds too.
        super().__init__("ampfix", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.analyst = Analyst(configure)
        self._analyses: dict[str, Analysis] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._worker = ThreadPoolExecutor(1, "ampfix")
        self._told: set[str] = set()

    def places(self, text: str) -> Places:
        return Places(text, self.workspace.position_encoding)

    async def analysis(self, uri: str) -> Analysis:
        """The analysis of a text as it is now."""
        document = self.workspace.get_text_document(uri)
        known = self._analyses.get(uri)
        if known is None or known.text != document.source:
            path = to_fs_path(uri) or "untitled.py"
            known = await self.in_worker(self.analyst.analyse, document.source, path)
            self._analyses[uri] = known
        return known

    async def in_worker(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)

    def check_soon(self, uri: str, delay: float = DELAY) -> None:
        """Check a text once it has rested; what was to be checked before is dropped."""
        if uri in self._waiting:
            self._waiting[uri].cancel()
        self._waiting[uri] = asyncio.get_running_loop().create_task(self._check(uri, delay))

    async def _check(self, uri: str, delay: float) -> None:
        await asyncio.sleep(delay)
        document = self.workspace.get_text_document(uri)
        version = document.version
        analysis = await self.analysis(uri)
        if analysis.problem and analysis.problem not in self._told:
            self._told.add(analysis.problem)
            message = f"ampfix: {analysis.problem}"
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, message))
        if analysis.text == self.workspace.get_text_document(uri).source:
            found = [self.diagnostic(finding, analysis, uri) for finding in analysis.findings]
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    def diagnostic(self, finding: Finding, analysis: Analysis, uri: str) -> types.Diagnostic:
        """A finding as editors show it; its trace leads to the places it came by."""
        return types.Diagnostic(
            range=self.places(analysis.text).range(finding.span),
            message=finding.message,
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source="ampfix",
            related_information=list(self._related(finding, analysis, uri)),
        )

    def _related(self, finding: Finding, analysis: Analysis, uri: str) -> Iterator[types.DiagnosticRelatedInformation]:
        for point in finding.trace[:-1]:
            if point.path == finding.path:
                where = types.Location(uri, self.places(analysis.text).range(point.span))
            else:
                line = types.Position(point.span.start.line - 1, 0)
                where = types.Location(from_fs_path(str(Path(point.path).absolute())) or uri, types.Range(line, line))
            yield types.DiagnosticRelatedInformation(where, point.event)

    def close(self, uri: str) -> None:
        """Forget a text, and take its findings off the screen."""
        self._analyses.pop(uri, None)
        if uri in self._waiting:
            self._waiting.pop(uri).cancel()
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def start_anew(self) -> None:
        """Check every open text again, with what is on disk now."""
        self.analyst.forget()
        self._analyses.clear()
        for uri in self.workspace.text_documents:
            self.check_soon(uri)


def make_server(configure: Callable[[], Configuration]) -> Server:
    """A server with its features. configure: makes the settings; called again when a settings file changes."""
    server = Server(configure)

    @server.feature(types.INITIALIZED)
    def initialized(ls: Server, params: types.InitializedParams) -> None:  # noqa: ARG001
        _watch_files(ls)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
        ls.check_soon(params.text_document.uri, 0)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
        ls.check_soon(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, params: types.DidSaveTextDocumentParams) -> None:  # noqa: ARG001
        ls.start_anew()  # other open texts may import this one

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
        ls.close(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def files_changed(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:  # noqa: ARG001
        ls.start_anew()

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(ls: Server, params: types.HoverParams) -> types.Hover | None:
        analysis = await ls.analysis(params.text_document.uri)
        at = types.Range(params.position, params.position)
        for finding in analysis.findings:
            place = ls.places(analysis.text).range(finding.span)
            if covers(place, at):
                return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, _page(finding.code)), place)
        return None

    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=kinds))
    async def actions(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        analysis = await ls.analysis(uri)
        places = ls.places(analysis.text)
        diagnostics = {
            index: ls.diagnostic(finding, analysis, uri)
            for index, finding in enumerate(analysis.findings)
            if covers(places.range(finding.span), params.range)
        }
        version = ls.workspace.get_text_document(uri).version
        target = types.OptionalVersionedTextDocumentIdentifier(uri, version)
        made = code_actions(ls.analyst, analysis, places, diagnostics, target, params.context)
        return await ls.in_worker(list, made)  # type: ignore[no-any-return]

    return server


def _page(code: str) -> str:
    return next((page(rule) for rule in all_rules() if rule.code == code), code)


def _watch_files(server: Server) -> None:
    """Ask the editor to tell of changes on disk: settings, and the files that open ones import."""
    workspace = server.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    if not watching or not watching.dynamic_registration:
        return
    globs = [types.FileSystemWatcher(f"**/{FILE}"), types.FileSystemWatcher("**/*.py")]
    options = types.DidChangeWatchedFilesRegistrationOptions(globs)
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    server.client_register_capability(types.RegistrationParams([types.Registration("files", method, options)]))
