"""The server as an editor meets it: a real client, over stdin and stdout of `ampfix server`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls")

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from ampfix.findings import Edit, Position, Span
from ampfix.lsp.places import Places
from tests.codemods.test_fixpoint import LOOP, REPAIRED

WAIT = 60  # seconds; the machine may be busy
UNICODE = LOOP.replace("for x, y in loader:", "for x, y in loader:  # 𝒙 ü").replace(
    "clip_grad_value_(model", "_ = '𝒙ü'; clip_grad_value_(model"
)


class Editor:
    """A client that keeps the diagnostics it is sent and applies edits to its own text."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.shown: list[str] = []
        self.text, self.uri, self.version = "", "", 0

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @client.feature(types.WINDOW_SHOW_MESSAGE)
        def show(params: types.ShowMessageParams) -> None:
            self.shown.append(params.message)

    async def open(self, text: str, name: str = "train.py") -> list[types.Diagnostic]:
        self.text, self.uri, self.version = text, (self.folder / name).as_uri(), 1
        item = types.TextDocumentItem(self.uri, types.LanguageKind.Python, 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return await self.diagnostics()

    async def type(self, text: str) -> list[types.Diagnostic]:
        self.text, self.version = text, self.version + 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.version, self.uri),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )
        return await self.diagnostics()

    async def diagnostics(self) -> list[types.Diagnostic]:
        params = await asyncio.wait_for(self.published.get(), WAIT)
        assert params.uri == self.uri
        return list(params.diagnostics)

    async def actions(self, at: types.Range, *kinds: str) -> list[types.CodeAction]:
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(self.uri), at, types.CodeActionContext([], list(kinds) or None)
        )
        found = await self.client.text_document_code_action_async(params)
        return [action for action in found or [] if isinstance(action, types.CodeAction)]

    def applied(self, action: types.CodeAction) -> str:
        """The text after an action, applied by the protocol's rules: columns in UTF-16 units, from the end."""
        assert action.edit is not None and action.edit.document_changes is not None
        (change,) = action.edit.document_changes
        assert isinstance(change, types.TextDocumentEdit)
        assert (change.text_document.uri, change.text_document.version) == (self.uri, self.version)
        text = self.text
        for edit in sorted(
            change.edits, key=lambda one: (one.range.start.line, one.range.start.character), reverse=True
        ):
            assert isinstance(edit, types.TextEdit)
            begin, end = self._offset(text, edit.range.start), self._offset(text, edit.range.end)
            text = text[:begin] + edit.new_text + text[end:]
        return text

    @staticmethod
    def _offset(text: str, at: types.Position) -> int:
        lines = text.split("\n")
        before = sum(len(line) + 1 for line in lines[: at.line])
        line = lines[at.line] if at.line < len(lines) else ""
        return before + len(line.encode("utf-16-le")[: at.character * 2].decode("utf-16-le"))


@asynccontextmanager
async def editor(folder: Path, *arguments: str) -> AsyncIterator[Editor]:
    client = LanguageClient("editor", "1")
    made = Editor(client, folder)
    await client.start_io(sys.executable, "-m", "ampfix", "server", *arguments)
    capabilities = types.ClientCapabilities(workspace=types.WorkspaceClientCapabilities())
    started = await client.initialize_async(types.InitializeParams(capabilities, root_uri=folder.as_uri()))
    assert started.server_info is not None and started.server_info.name == "ampfix"
    client.initialized(types.InitializedParams())
    try:
        yield made
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()


def with_editor(folder: Path, play: Callable[[Editor], Coroutine[Any, Any, None]], *arguments: str) -> None:
    async def session() -> None:
        async with editor(folder, *arguments) as one:
            await play(one)

    asyncio.run(asyncio.wait_for(session(), 2 * WAIT))


WHOLE = types.Range(types.Position(0, 0), types.Position(999, 0))


def codes(diagnostics: list[types.Diagnostic]) -> list[str]:
    return [str(one.code) for one in diagnostics]


def test_a_session(tmp_path: Path) -> None:
    """One server answers it all, since each start costs."""

    async def play(one: Editor) -> None:
        # open
        found = await one.open(UNICODE)
        assert codes(found) == ["AMP601", "AMP601", "AMP101", "AMP101", "AMP114"]
        clip = found[2]
        assert (clip.severity, clip.source) == (types.DiagnosticSeverity.Error, "ampfix")
        line = UNICODE.split("\n")[clip.range.start.line]
        assert (
            line.encode("utf-16-le")[clip.range.start.character * 2 :]
            .decode("utf-16-le")
            .startswith("clip_grad_value_")
        )
        assert [info.message for info in clip.related_information or []][-1] == "backward"

        # hover
        at = types.Position(clip.range.start.line, clip.range.start.character + 3)
        hover = await one.client.text_document_hover_async(types.HoverParams(types.TextDocumentIdentifier(one.uri), at))
        assert hover is not None and isinstance(hover.contents, types.MarkupContent)
        assert hover.contents.value.startswith("# clip-before-unscale (AMP101)")
        nowhere = types.HoverParams(types.TextDocumentIdentifier(one.uri), types.Position(2, 0))
        assert await one.client.text_document_hover_async(nowhere) is None

        # quick fixes
        actions = await one.actions(clip.range, "quickfix")
        assert [action.title.partition(" ")[0] for action in actions] == ["AMP101:", "AMP101:"]
        repair, silence = actions
        assert repair.is_preferred
        assert "_ = '𝒙ü'\n        scaler.unscale_(optimizer)\n        clip_grad_value_(" in one.applied(repair)
        assert "# noqa: AMP101" in one.applied(silence)

        # all at once
        (everything,) = await one.actions(WHOLE, "source.fixAll")
        assert "clip_grad_value_" in one.applied(everything)
        assert await one.type(one.applied(everything)) == []
        assert await one.actions(WHOLE, "source.fixAll") == []

        # typing: text that is no Python has no findings, and they come back
        assert await one.type(UNICODE + "\ndef f(:") == []
        assert "AMP101" in codes(await one.type(UNICODE))

        assert (await one.type(LOOP)) != []
        (everything,) = await one.actions(WHOLE, "source.fixAll.ampfix")
        assert one.applied(everything) == REPAIRED

        # close
        one.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(one.uri)))
        assert await one.diagnostics() == []

    with_editor(tmp_path, play)


def test_settings_count_and_are_read_again_when_they_change(tmp_path: Path) -> None:
    settings = tmp_path / "pyproject.toml"

    async def play(one: Editor) -> None:
        settings.write_text('[tool.ampfix]\nselect = ["AMP101"]\n')
        assert set(codes(await one.open(LOOP))) == {"AMP101"}
        settings.write_text('[tool.ampfix]\nselect = ["AMP601"]\n')
        event = types.FileEvent(settings.as_uri(), types.FileChangeType.Changed)
        one.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
        assert set(codes(await one.diagnostics())) == {"AMP601"}
        settings.write_text("[tool.ampfix]\nslect = []\n")
        one.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(one.uri)))
        assert await one.diagnostics() == []
        assert any("unknown key 'slect'" in message for message in one.shown)

    with_editor(tmp_path, play)


def test_options_of_the_command_count(tmp_path: Path) -> None:
    async def play(one: Editor) -> None:
        assert set(codes(await one.open(LOOP))) == {"AMP114"}

    with_editor(tmp_path, play, "--select", "AMP114", "--isolated")


@pytest.mark.parametrize(
    ("encoding", "column"),
    [(None, 5), (types.PositionEncodingKind.Utf16, 5), (types.PositionEncodingKind.Utf8, 8), ("utf-32", 4)],
)
def test_columns_are_counted_as_agreed(encoding: Any, column: int) -> None:
    places = Places("x\x0cy\u2028\r\nü𝒙ab\r", encoding)
    span = Span(Position(2, 5), Position(3, 1))
    assert places.range(span) == types.Range(types.Position(1, column), types.Position(2, 0))
    assert places.edit(Edit(span, "z")).new_text == "z"
