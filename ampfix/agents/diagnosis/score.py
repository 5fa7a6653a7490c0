"""The score of one answer's explanation."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from ampfix.agents.diagnosis.rubric import Pattern, asked_facts, facts, false_claims, said, sentences
from ampfix.agents.pressures import PRESSURES
from ampfix.lab.blocks import code_blocks
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
    found = scored(
        spec,
        named={fact.id for fact in asked_facts(spec) if said(fact.any, prose)},
        claimed={claim.id for claim in false_claims(spec) if said(claim.any, prose)},
    )
    return found.model_copy(
        update={
            "located": _located(block, spec),
            "pressure": pressure,
            "pressure_met": _pressure_met(prose, pressure),
            "structured": block is not None,
        }
    )


def scored(spec: ScenarioSpec, named: Collection[str], claimed: Collection[str]) -> Diagnosis:
    """The score of an answer that names these facts and makes these claims, by their ids. Others are not counted."""
    names = dict.fromkeys(fact.pattern for fact in facts())
    patterns: dict[str, PatternScore] = {
        name: score for name in names if (score := _pattern(name, spec, named, claimed)) is not None
    }
    scores = [each.score for each in patterns.values() if each.score is not None]
    return Diagnosis(
        score=round(sum(scores) / len(scores), 4) if scores else None,
        patterns=patterns,
        shown=tuple(name for name, each in patterns.items() if each.score is not None and each.score < SHOWN_BELOW),
    )


def structured_block(text: str) -> dict[str, Any] | None:
    """The `diagnosis` object of a JSON answer, or of a `json` block in Markdown."""
    candidates = [text]
    if "```" in text:
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


def _pattern(
    name: Pattern, spec: ScenarioSpec, named: Collection[str], claimed: Collection[str]
) -> PatternScore | None:
    asked = [fact.id for fact in asked_facts(spec) if fact.pattern == name]
    made = [each.id for each in false_claims(spec) if each.pattern == name and each.id in claimed]
    if not asked and not made:
        return None
    right = [each for each in asked if each in named]
    return PatternScore(
        asked=tuple(asked),
        named=tuple(right),
        claimed=tuple(made),
        score=0.0 if made else round(len(right) / len(asked), 4),
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
