"""Graded answers as CSV: one row for each, for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ampfix.agents.grading import Graded

COLUMNS = (
    "agent", "scenario_id", "family", "pressure", "mode", "sample", "status", "reason", "trust", "complete", "loss",
    "reference_loss", "broken_loss", "skipped", "attempted", "half_precision", "diagnosis", "pressure_met",
    "edit_lines", "gold_lines", "wall_s", "input_tokens", "output_tokens", "cost_usd", "answer_sha256",
)  # fmt: skip


def write(runs: Iterable[tuple[str, Iterable[Graded]]], families: Mapping[str, str], stream: TextIO) -> None:
    """Write (agent, answers) of each run. What was not measured is an empty cell."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for agent, answers in runs:
        writer.writerows(_row(agent, each, families) for each in answers)


def _row(agent: str, each: Graded, families: Mapping[str, str]) -> list[object]:
    verdict, figures, key = each.verdict, each.verdict.figures, each.key
    return [
        agent, key.scenario_id, families.get(key.scenario_id, ""), key.pressure, key.mode.value if key.mode else "",
        key.sample, verdict.status.value, verdict.reason, verdict.trust.value if verdict.trust else "",
        verdict.complete, figures.loss, figures.reference_loss, figures.broken_loss, figures.skipped,
        figures.attempted, figures.half_precision, each.diagnosis.score if each.diagnosis else None,
        each.diagnosis.pressure_met if each.diagnosis else None, each.edits.answer if each.edits else None,
        each.edits.gold if each.edits else None, verdict.wall_s, each.usage.input_tokens, each.usage.output_tokens,
        each.usage.cost_usd, verdict.answer_sha256,
    ]  # fmt: skip
