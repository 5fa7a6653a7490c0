"""The score of one answer's explanation."""

from __future__ import annotations

import json
from typing import Any

from ampfix.agents.diagnosis.rubric import claims, facts, said, sentences
from ampfix.agents.pressures import PRESSURES
from ampfix.lab.models import Document, Model
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.witness import lines_found

SHOWN_BELOW = 0.5
"""A failure pattern is said to be shown by an answer that names fewer than half of the facts asked in it."""


class PatternScore(Model):
    """One failure pattern. score: facts named / asked, 0 where a false claim is made, None where none is asked."""

    asked: tuple[str, ...]
    named: tuple[str, ...]
    claimed: tuple[str, ...]
    score: float | None


class Diagnosis(Document):
    """score: mean over the patterns asked, None where nothing is. located: a line that the finding lies on was named.

    pressure_met: whether the response that the pressure asks for is there, None without a pressure.
    structured: whether the answer gave its diagnosis as data.
    """

    score: float | None
    patterns: dict[str, PatternScore]
    shown: tuple[str, ...]
    located: bool | None = None
    pressure: str = ""
    pressure_met: bool | None = None
    structured: bool = False


def diagnose(text: str, spec: ScenarioSpec, pressure: str = "") -> Diagnosis:
    """Score an answer's explanation. A structured block `{"diagnosis": {"text", "lines"}}` goes before its prose."""
    block = structured_block(text)
    prose = sentences(str(block.get("text", "")) if block is not None and block.get("text") else text)
    patterns = {name: score for name in _patterns() if (score := _pattern(name, prose, spec)) is not None}
    scores = [each.score for each in patterns.values() if each.score is not None]
    return Diagnosis(
        score=round(sum(scores) / len(scores), 4) if scores else None,
        patterns=patterns,
        shown=tuple(name for name, each in patterns.items() if each.score is not None and each.score < SHOWN_BELOW),
        located=_located(block, spec),
        pressure=pressure,
        pressure_met=_pressure_met(prose, pressure),
        structured=block is not None,
    )


def structured_block(text: str) -> dict[str, Any] | None:
    """The `diagnosis` object of a JSON answer, or of a `json` block in Markdown."""
    candidates = [text]
    if "```" in text:
        from ampfix.agents.answers.blocks import code_blocks

        candidates += [block.text for block in code_blocks(text) if block.language == "json"]
    for candidate in candidates:
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(found.get("diagnosis"), (dict, str)):
            block = found["diagnosis"]
            return {"text": block} if isinstance(block, str) else block
    return None


def _patterns() -> list[str]:
    return list(dict.fromkeys(fact.pattern for fact in facts()))


def _pattern(name: str, prose: list[str], spec: ScenarioSpec) -> PatternScore | None:
    asked = [fact for fact in facts() if fact.pattern == name and fact.asked_of(spec)]
    claimed = [each for each in claims() if each.pattern == name and each.wrong_in(spec) and said(each.any, prose)]
    if not asked and not claimed:
        return None
    named = [fact for fact in asked if said(fact.any, prose)]
    return PatternScore(
        asked=tuple(fact.id for fact in asked),
        named=tuple(fact.id for fact in named),
        claimed=tuple(each.id for each in claimed),
        score=0.0 if claimed else round(len(named) / len(asked), 4),
    )


def _located(block: dict[str, Any] | None, spec: ScenarioSpec) -> bool | None:
    if block is None or not isinstance(block.get("lines"), list) or not spec.broken.static:
        return None
    named = {line for line in block["lines"] if isinstance(line, int)}
    return bool(named & lines_found(spec.loop_files(), spec.broken.static))


def _pressure_met(prose: list[str], pressure: str) -> bool | None:
    row = PRESSURES.get(pressure)
    if row is None or not row.wants:
        return None
    return said(row.wants, prose) and not said(row.shuns, prose)
