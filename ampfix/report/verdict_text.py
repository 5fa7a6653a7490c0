"""Verdicts of graded answers as text: what was measured, what was required, and what the verdict rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from ampfix.report.rows import number
from ampfix.report.tables import STATUS_STYLES, Console, Text, console, new_table

if TYPE_CHECKING:
    from ampfix.lab.verdict import Check, Verdict

_LINES = 20


def write(verdicts: Iterable[Verdict], stream: TextIO) -> None:
    """Print every verdict, one after the other."""
    out = console(stream)
    for verdict in verdicts:
        _write_one(verdict, out)


def _write_one(verdict: Verdict, out: Console) -> None:
    status = verdict.status.value
    reason = f" ({verdict.reason})" if verdict.reason else ""
    out.print(Text.assemble((status, f"bold {STATUS_STYLES[status]}"), f"{reason}  ", verdict.scenario_id))
    for line in verdict.taken:
        out.print(Text(f"taken: {line}", style="dim"))
    if verdict.detail not in ("", *(check.detail for check in verdict.checks)):
        out.print(Text(verdict.detail))
    if verdict.checks:
        table = new_table("check", "status", "measured>", "required>", "unit", "source", "decisive", "why")
        for check in verdict.checks:
            table.add_row(*_cells(check))
        out.print(table)
    if verdict.output_tail:
        out.print(Text("it printed, last:", style="dim"))
        out.print(Text("\n".join(f"  {line}" for line in verdict.output_tail.splitlines()[-_LINES:])))
    out.print(Text(_circumstances(verdict), style="dim"))


def _cells(check: Check) -> list[str | Text]:
    status = check.status.value
    return [
        check.name if check.required else f"{check.name} (optional)",
        Text(status.replace("_", " "), style=STATUS_STYLES.get(status, "dim")),
        number(check.measured),
        number(check.threshold),
        check.unit,
        check.source.value.replace("_", "-"),
        "yes" if check.decisive else "",
        check.detail or check.reason,
    ]


def _circumstances(verdict: Verdict) -> str:
    trust = verdict.trust.value.replace("_", "-") if verdict.trust else "none, since nothing was measured"
    parts = [
        f"trust {trust}" + ("" if verdict.complete or not verdict.trust else ", not all checks can be measured here"),
        f"{verdict.device}, {verdict.policy} policy",
        f"isolation {verdict.isolation.level}",
        f"{len(verdict.seeds)} seeds",
        f"{verdict.wall_s:.1f} s",
    ]
    return " · ".join(parts)
