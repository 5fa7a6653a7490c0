"""What an answer means for the loop that was asked about."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NoReturn

from ampfix.agents.answers import patches, pieces
from ampfix.lab.blocks import DIFF, PYTHON, Block, code_blocks
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import LARGEST_ANSWER, InvalidAnswer, Submission


class Mode(str, Enum):
    """What was asked for: a review (text, with code or without), a diff, or edits in a folder."""

    REVIEW = "review"
    PATCH = "patch"
    WORKSPACE = "workspace"


@dataclass(frozen=True)
class Question:
    """The loop that was asked about: its files by path, and the one that runs."""

    files: Mapping[str, str]
    entry: str

    @classmethod
    def of(cls, spec: ScenarioSpec) -> Question:
        return cls(spec.loop_files(), spec.entry)


def take(raw: bytes, question: Question, mode: Mode | None = None) -> Submission:
    """The loop that an answer gives. mode: a review without code leaves the loop as it is; None asks for code.

    Raises InvalidAnswer, whose code is a row of `causes`.
    """
    answer = _Answer(hashlib.sha256(raw).hexdigest(), question, mode)
    try:
        files, taken = answer.read(_text(raw, answer.refuse))
    except patches.PatchError as error:
        answer.refuse(error.code, str(error))
    except pieces.PieceError as error:
        answer.refuse(error.code, str(error))
    return answer.submission(files, taken)


def _text(raw: bytes, refuse: Callable[[str, str], NoReturn]) -> str:
    if len(raw) > LARGEST_ANSWER:
        refuse("too_large", f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse("not_utf8", f"not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}")
    if not text.strip():
        refuse("empty", "the answer is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")


Taken = tuple[Mapping[str, str], Sequence[str]]
"""The files an answer changes, and what was taken of it: a line each."""


@dataclass(frozen=True)
class _Answer:
    sha256: str
    question: Question
    mode: Mode | None

    def refuse(self, code: str, detail: str) -> NoReturn:
        raise InvalidAnswer(code, detail, self.sha256)

    def submission(self, files: Mapping[str, str], taken: Sequence[str]) -> Submission:
        for name, text in files.items():
            self._parsed(text, name)
        others = {name: text for name, text in files.items() if name != self.question.entry}
        text = files.get(self.question.entry, self.question.files[self.question.entry])
        return Submission(text, self.sha256, others, tuple(taken))

    def read(self, text: str) -> Taken:
        if text.lstrip().startswith("{") and (fields := _json(text)) is not None:
            return self._structured(fields)
        if _is_code(text):
            return self._code([Block(1, pieces.dedented(text), "python", "")])
        if "```" not in text and "~~~" not in text and patches.looks_like_diff(text):
            return self._diff([text])
        return self._markdown(text)

    # JSON: {"files": {path: text}}, {"patch": diff}, {"code": text} or {"answer": any of the other forms}
    def _structured(self, fields: Mapping[str, Any]) -> Taken:
        given = [name for name in ("files", "patch", "code", "answer") if fields.get(name) is not None]
        if not given and self.mode is not None and self.mode is not Mode.PATCH and "diagnosis" in fields:
            return {}, ["no code: the loop as it was"]
        if len(given) != 1:
            named = " and ".join(given) or "none of them"
            self.refuse("json_without_answer", f"JSON needs one of files, patch, code and answer; it has {named}")
        value = fields[given[0]]
        if given[0] == "files":
            if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()) or not value:
                self.refuse("json_without_answer", "'files' must map paths to texts")
            return self._whole({patches.target(name, self.question.files): text for name, text in value.items()})
        if not isinstance(value, str) or not value.strip():
            self.refuse("json_without_answer", f"{given[0]!r} must be a text")
        if given[0] == "patch":
            return self._diff([value])
        return self._code([Block(1, pieces.dedented(value), "python", "")]) if given[0] == "code" else self.read(value)

    def _markdown(self, text: str) -> Taken:
        blocks = [block for block in code_blocks(text) if block.language in PYTHON | DIFF and block.text.strip()]
        diffs = [each for each in blocks if each.language in DIFF or patches.looks_like_diff(each.text)]
        rest = [replace(each, text=pieces.dedented(each.text)) for each in blocks if each not in diffs]
        codes = [each for each in rest if each.language or _parses(each.text)]
        wholes = self._wholes(codes)
        if diffs and not wholes:
            files, taken = self._diff([each.text for each in diffs])
            return files, [*taken, *self._left(codes)]
        if codes:
            return self._code(codes)
        if self.mode in (Mode.REVIEW, Mode.WORKSPACE):
            return {}, ["no code: the loop as it was"]
        if _parses_as_code(text):
            return self._code([Block(1, pieces.dedented(text), "python", "")])
        return self.refuse("no_code", "the answer holds no Python code block and no diff")

    def _diff(self, texts: Sequence[str]) -> Taken:
        files = dict(self.question.files)
        changed: dict[str, str] = {}
        taken: list[str] = []
        for text in texts:
            patched = patches.apply(text, files | changed)
            changed |= patched.files
            taken += patched.notes
        return changed, [f"a diff of {', '.join(changed)}", *taken]

    def _code(self, blocks: Sequence[Block]) -> Taken:
        for block in blocks:
            self._parsed(block.text, f"code block {block.number}" if len(blocks) > 1 else "")
        wholes = self._wholes(blocks)
        if wholes:
            named = {self._file(block): block for block in wholes}
            if len(named) != len(wholes):
                numbers = ", ".join(str(block.number) for block in wholes)
                self.refuse("several_code_blocks", f"code blocks {numbers} are each a whole {self._file(wholes[0])}")
            files, taken = self._whole({name: block.text for name, block in named.items()})
            return files, [*taken, *self._left([block for block in blocks if block not in wholes])]
        return self._pieces(blocks)

    def _wholes(self, blocks: Sequence[Block]) -> list[Block]:
        """The blocks that are whole files; without those that quote the loop where others change it."""
        found = [block for block in blocks if _parses(block.text) and self._is_whole(block)]
        new = [block for block in found if not pieces.same_code(block.text, self.question.files[self._file(block)])]
        return new or found[:1]

    def _is_whole(self, block: Block) -> bool:
        name = self._file(block)
        if block.name and name != self.question.entry:
            return True  # it says that it is that file
        return pieces.is_whole(ast.parse(block.text), ast.parse(self.question.files[name]))

    def _file(self, block: Block) -> str:
        """The file a block is for: the one it names, or the one that holds what it defines, or the entry."""
        if block.name:
            return patches.target(block.name, self.question.files)
        return self.question.entry

    def _whole(self, files: Mapping[str, str]) -> Taken:
        for name, text in files.items():
            self._parsed(text, name)
            self._must_be_complete(text, name)
        return files, [f"the whole file {name}" for name in files]

    def _pieces(self, blocks: Sequence[Block]) -> Taken:
        """Pieces, each put in its place. Those that quote the loop change nothing; two for one place are refused."""
        changes: dict[str, list[tuple[Block, pieces.Replacement]]] = {}
        taken: list[str] = []
        lost: list[tuple[Block, pieces.PieceError]] = []
        for block in blocks:
            try:
                name, found = self._placed(block)
            except pieces.PieceError as error:
                if error.code != "nothing_to_replace":
                    raise
                lost.append((block, error))
                continue
            if pieces.same_code(pieces.apply(found, self.question.files[name]), self.question.files[name]):
                taken.append(f"code block {block.number} quotes the loop")
                continue
            self._must_be_complete(block.text, name)
            for change in found:
                for other, earlier in changes.get(name, []):
                    if other is not block and change.overlaps(earlier):
                        detail = f"code blocks {other.number} and {block.number} are both for {name}:{change.first}"
                        self.refuse("several_code_blocks", detail)
                changes.setdefault(name, []).append((block, change))
                taken.append(f"{name}: {change.what}")
        if not changes and lost:
            raise lost[0][1]
        taken += [f"code block {block.number} not taken: {error}" for block, error in lost]
        files = {
            name: pieces.apply([change for _, change in found], self.question.files[name])
            for name, found in changes.items()
        }
        return files, taken

    def _placed(self, block: Block) -> tuple[str, list[pieces.Replacement]]:
        """Where a piece belongs: in the file it names, or in the only one that has a place for it."""
        names = [self._file(block)] if block.name else list(self.question.files)
        tried = [(name, self._tried(block, name)) for name in names]
        found = [(name, result) for name, result in tried if not isinstance(result, pieces.PieceError)]
        refused = [result for _, result in tried if isinstance(result, pieces.PieceError)]
        refused.sort(key=lambda error: error.code == "nothing_to_replace")
        if len(found) > 1:
            where = " and ".join(name for name, _ in found)
            raise pieces.PieceError("ambiguous_piece", f"code block {block.number} could belong to {where}")
        if not found or (refused[:1] and refused[0].code != "nothing_to_replace"):
            raise refused[0]
        return found[0]

    def _tried(self, block: Block, name: str) -> list[pieces.Replacement] | pieces.PieceError:
        try:
            return pieces.replacements(block.text, self.question.files[name])
        except pieces.PieceError as error:
            return error

    def _must_be_complete(self, text: str, name: str) -> None:
        left_out = pieces.elision(text, self.question.files[name])
        if left_out is not None:
            self.refuse("elided", f"{left_out!r} stands where code should: give all of it")

    def _left(self, blocks: Sequence[Block]) -> list[str]:
        return [f"code block {block.number} not taken" for block in blocks]

    def _parsed(self, text: str, name: str) -> None:
        where = f"{name}, " if name and name != self.question.entry else ""
        try:
            ast.parse(text)
        except SyntaxError as error:
            self.refuse("syntax_error", f"{where}line {error.lineno}: {error.msg}")
        except (ValueError, RecursionError, MemoryError) as error:
            self.refuse("syntax_error", f"{where}not parseable: {error}")


def _json(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _parses(text: str) -> bool:
    try:
        ast.parse(pieces.dedented(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_code(text: str) -> bool:
    """Whether an answer is nothing but Python that imports or defines something: a word of prose parses, too."""
    if not _parses(text):
        return False
    body = ast.parse(pieces.dedented(text)).body
    return any(isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)) for node in body)


def _parses_as_code(text: str) -> bool:
    """Whether an answer without fences is statements: what prose could be, a lone name or text, does not count."""
    if not _parses(text):
        return False
    return all(
        not isinstance(node, ast.Expr) or isinstance(node.value, (ast.Call, ast.Await))
        for node in ast.parse(pieces.dedented(text)).body
    )
