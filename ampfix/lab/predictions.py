"""Predictions files: one JSON object a line, each an answer to a scenario."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from ampfix.lab.submission import InvalidAnswer, Submission, extract

SUFFIX = ".jsonl"


class PredictionError(ValueError):
    """A predictions file that cannot be read; the message is one line and names file and line."""


def read(path: Path) -> list[tuple[str, Submission | InvalidAnswer]]:
    """(scenario id, answer) of every line with `scenario_id` and `answer`; other fields are the caller's own.

    An answer is Markdown with one Python block, or nothing but code. Raises OSError and PredictionError.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise PredictionError(f"{path}: not UTF-8 text") from error
    found = [_read_line(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise PredictionError(f"{path}: holds no prediction")
    return found


def _read_line(line: str, place: str) -> tuple[str, Submission | InvalidAnswer]:
    try:
        raw: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PredictionError(f"{place}: not a JSON object") from error
    if not isinstance(raw, dict):
        raise PredictionError(f"{place}: not a JSON object")
    for name in ("scenario_id", "answer"):
        if not isinstance(raw.get(name), str):
            raise PredictionError(f"{place}: needs {name!r}, a string")
    return raw["scenario_id"], _answer(raw["answer"])


def _answer(text: str) -> Submission | InvalidAnswer:
    raw = text.encode("utf-8", errors="surrogatepass")
    try:
        return extract(raw, markdown=not _is_code(text))
    except InvalidAnswer as invalid:
        return invalid


def _is_code(text: str) -> bool:
    """Whether an answer is nothing but Python. One word of prose parses too, so it must import or define something."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef)) for node in body)
