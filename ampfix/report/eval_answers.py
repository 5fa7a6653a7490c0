"""The distinct answers of runs as data inside a page: deflated JSON, which a script unpacks when one is opened.

Written out as HTML, four agents on all scenarios would take megabytes.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ampfix.agents.grading import Graded
    from ampfix.lab.curves import Curve
    from ampfix.lab.verdict import Check

MOST_ANSWERS = 400
"""Distinct answers of one run that are shown: those that do not pass go first."""

_REQUESTS = 4


@dataclass(frozen=True)
class Answer:
    """Equal answers to one scenario. number: of its data. requests: the pressures, the first few by name."""

    graded: Graded
    number: int
    requests: list[str]


class Pack:
    """Gathers answers; what several share, such as the curves of a reference, is kept once."""

    def __init__(self) -> None:
        self._answers: list[dict[str, Any]] = []
        self._curves: dict[str, int] = {}

    def add(self, graded: Sequence[Graded]) -> tuple[list[Answer], int]:
        """The distinct answers of one run, failing ones first, and how many are left out."""
        groups: dict[tuple[str, str], list[Graded]] = {}
        for each in graded:
            groups.setdefault((each.key.scenario_id, each.verdict.answer_sha256 or str(each.line)), []).append(each)
        ordered = sorted(groups.values(), key=lambda group: (group[0].verdict.status.value == "pass", group[0].line))
        return [self._add(group) for group in ordered[:MOST_ANSWERS]], max(0, len(ordered) - MOST_ANSWERS)

    def text(self) -> str:
        """All of it in base64 of zlib's format: no character that means anything in HTML."""
        document = {"curves": [json.loads(text) for text in self._curves], "answers": self._answers}
        packed = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
        return base64.b64encode(zlib.compress(packed, 9)).decode()

    def _add(self, group: Sequence[Graded]) -> Answer:
        graded = group[0]
        verdict = graded.verdict
        figures = {"answer": verdict.figures.loss, "reference": verdict.figures.reference_loss,
                   "broken": verdict.figures.broken_loss}  # fmt: skip
        self._answers.append(
            {
                "detail": verdict.detail,
                "taken": graded.taken,
                "checks": [_cells(check) for check in verdict.checks],
                "losses": {name: _short(value) for name, value in figures.items() if value is not None},
                "curves": {name: self._curve(curve) for name, curve in verdict.curves.items()},
                "diagnosis": _diagnosis(graded),
                "diff": graded.diff,
                "output": verdict.output_tail,
            }
        )
        requests = list(dict.fromkeys(each.key.pressure for each in group))
        more = len(requests) - _REQUESTS
        return Answer(graded, len(self._answers) - 1, requests[:_REQUESTS] + ([f"{more} more"] if more > 0 else []))

    def _curve(self, curve: Curve) -> int:
        text = curve.model_dump_json()
        return self._curves.setdefault(text, len(self._curves))


def _cells(check: Check) -> list[object]:
    """A row of the table of checks, whether it is decisive at its end."""
    source = check.source.value.replace("_", "-")
    return [check.name, check.status.value, _short(check.measured), _short(check.threshold), check.unit, source,
            check.detail or check.reason, check.decisive]  # fmt: skip


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _diagnosis(graded: Graded) -> str:
    """Facts named and claims made, in one line."""
    found = graded.diagnosis
    if found is None:
        return ""
    parts = []
    for name, pattern in found.patterns.items():
        claims = f", claims {', '.join(pattern.claimed)}" if pattern.claimed else ""
        parts.append(f"{name}: {len(pattern.named)} of {len(pattern.asked)} facts{claims}")
    score = "nothing asked" if found.score is None else f"{100 * found.score:.0f} %"
    return "; ".join([f"diagnosis {score}", *parts])
