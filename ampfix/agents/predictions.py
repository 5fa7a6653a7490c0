"""Predictions files: one JSON object a line, each an answer to a scenario.

A line that cannot be used is still a prediction, with its problem: the others are graded. Files are read twice, by
offset, so that a thousand answers never lie in memory together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ampfix.agents.answers import Mode
from ampfix.agents.pressures import NEUTRAL, PRESSURES
from ampfix.lab.causes import CAUSES
from ampfix.lab.models import Model
from ampfix.lab.problem import Problem
from ampfix.lab.submission import LARGEST_ANSWER

SUFFIX = ".jsonl"
LONGEST_LINE = 8 * LARGEST_ANSWER
"""In bytes: JSON writes a character with six at most, and other fields are short."""

_SCENARIO = ("scenario_id", "instance_id")
_MODEL = ("model_name_or_path", "model")
_ANSWER = ("answer", "patch", "model_patch")


class PredictionError(ValueError):
    """A predictions file that cannot be read at all; the message is one line and names it."""


class Usage(Model):
    """What an agent says that an answer cost. wall_s is measured by us."""

    wall_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


class Key(Model):
    """Whose answer to what. sample: counted from 0 among answers to the same request."""

    scenario_id: str
    model: str = ""
    pressure: str = NEUTRAL
    mode: Mode | None = None
    sample: int = 0


class Prediction(Model):
    """One line. line: counted from 1. offset, length: where it stands in the file, in bytes."""

    line: int
    offset: int
    length: int
    key: Key
    usage: Usage = Usage()
    problem: Problem | None = None


def index(path: Path) -> list[Prediction]:
    """Every line of a file that is not blank, without its answer. Raises OSError, and PredictionError for no lines."""
    found: list[Prediction] = []
    samples: dict[Key, int] = {}
    taken: set[Key] = set()
    for number, offset, length, raw in _lines(path):
        prediction = _read(number, offset, length, raw)
        if prediction.problem is None:
            prediction = _numbered(prediction, _json(raw) or {}, samples, taken)
        found.append(prediction)
    if not found:
        raise PredictionError(f"{path}: holds no prediction")
    return found


def answer_bytes(path: Path, prediction: Prediction) -> bytes:
    """The answer of a line without a problem, as it was given."""
    with path.open("rb") as file:
        file.seek(prediction.offset)
        fields = json.loads(file.read(prediction.length))
    text: str = fields[_first(fields, _ANSWER)]
    return text.encode("utf-8", errors="surrogatepass")


def _lines(path: Path) -> Iterator[tuple[int, int, int, bytes | None]]:
    """(number, offset, length, line); None where it is too long to be read."""
    with path.open("rb") as file:
        number, offset = 0, 0
        while raw := file.readline(LONGEST_LINE + 1):
            number += 1
            length = len(raw)
            whole = raw.endswith(b"\n") or length <= LONGEST_LINE
            while not whole and (rest := file.readline(LONGEST_LINE)):
                length += len(rest)
                whole = rest.endswith(b"\n")
                raw = b""
            if not raw:
                yield number, offset, length, None
            elif raw.strip(b" \t\r\n\xef\xbb\xbf"):
                yield number, offset, length, raw
            offset += length


def _json(raw: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads((raw or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if fields.get(name) is not None), names[0])


def _read(number: int, offset: int, length: int, raw: bytes | None) -> Prediction:
    def broken(code: str, detail: str, scenario_id: str = "") -> Prediction:
        return Prediction(
            line=number, offset=offset, length=length, key=Key(scenario_id=scenario_id),
            problem=Problem(cause=code, detail=f"line {number}: {detail}"),
        )  # fmt: skip

    if raw is None:
        return broken("too_large", f"longer than {LONGEST_LINE >> 20} MiB")
    fields = _json(raw)
    if fields is None:
        return broken("malformed_line", "not a JSON object")
    scenario = fields.get(_first(fields, _SCENARIO))
    if not isinstance(scenario, str) or not scenario:
        return broken("malformed_line", "needs 'scenario_id', a string")
    scenario = scenario.removeprefix("ampfix/")
    if not isinstance(fields.get(_first(fields, _ANSWER)), str):
        return broken("malformed_line", "needs 'answer' (or 'patch'), a string", scenario)
    try:
        key = Key(
            scenario_id=scenario,
            model=str(fields.get(_first(fields, _MODEL)) or ""),
            pressure=fields.get("pressure") or NEUTRAL,
            mode=fields.get("mode"),
            sample=fields.get("sample") or 0,
        )
        usage = Usage(**{name: fields["usage"].get(name) for name in Usage.model_fields}) if isinstance(
            fields.get("usage"), dict
        ) else Usage()  # fmt: skip
    except ValueError as error:
        names = ", ".join(str(part["loc"][0]) for part in getattr(error, "errors", list)() if part["loc"])
        return broken("malformed_line", f"{names or 'a field'} has a wrong value", scenario)
    if (problem := _told(fields)) is not None:
        return Prediction(line=number, offset=offset, length=length, key=key, usage=usage, problem=problem)
    if key.pressure not in PRESSURES:
        return broken("malformed_line", f"unknown pressure {key.pressure[:40]!r}", scenario)
    return Prediction(line=number, offset=offset, length=length, key=key, usage=usage)


def _told(fields: dict[str, Any]) -> Problem | None:
    """Why there is no answer, where `ampfix eval` wrote so."""
    told = fields.get("problem")
    if not isinstance(told, dict) or told.get("cause") not in CAUSES:
        return None
    return Problem(cause=told["cause"], detail=" ".join(str(told.get("detail", "")).split())[:400])


def _numbered(prediction: Prediction, fields: dict[str, Any], samples: dict[Key, int], taken: set[Key]) -> Prediction:
    """With its sample's number: the one it names, or the next. A number that is taken already is a duplicate."""
    base = prediction.key.model_copy(update={"sample": 0})
    named = fields.get("sample")
    key = base.model_copy(update={"sample": named if isinstance(named, int) else samples.get(base, 0)})
    samples[base] = max(samples.get(base, 0), key.sample + 1)
    update: dict[str, Any] = {"key": key}
    if key in taken:
        detail = f"line {prediction.line}: sample {key.sample} of {key.scenario_id} was given before"
        update["problem"] = Problem(cause="duplicate_answer", detail=detail)
    taken.add(key)
    return prediction.model_copy(update=update)
