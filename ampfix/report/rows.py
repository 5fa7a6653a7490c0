"""What tables and pages show of a suite's runs: one row per variant, in a reader's order, with numbers as text."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ampfix.records import dataclass

if TYPE_CHECKING:
    from ampfix.lab.suite import ScenarioReport
    from ampfix.lab.verdict import Verdict

NOTHING = "-"

# What the variants of recorded answers begin with.
ANSWER = "answer:"

# What a reader compares first; answers follow in the suite's own order.
_ORDER = ("broken", "codemod", "gold", "reference")


@dataclass(frozen=True)
class Row:
    """One variant. losses: one per seed; the other numbers are medians, None where nothing was measured."""

    variant: str
    losses: tuple[float, ...]
    loss: float | None
    skipped: float | None
    attempted: float | None
    half_precision: float | None
    status: str
    why: str
    trust: str

    @property
    def is_answer(self) -> bool:
        """Not one of the scenario's own loops."""
        return self.variant.startswith(ANSWER)

    @property
    def skipped_text(self) -> str:
        """Skipped of attempted optimizer steps."""
        if self.skipped is None or not self.attempted:
            return NOTHING
        return f"{self.skipped:.0f}/{self.attempted:.0f}"

    @property
    def half_text(self) -> str:
        """Share of matmul and convolution work in half precision."""
        return NOTHING if self.half_precision is None else f"{100 * self.half_precision:.0f} %"


def rows(scenario: ScenarioReport) -> list[Row]:
    """A scenario's variants: broken, codemod, gold and reference, then the answers."""
    verdicts: dict[str, list[Verdict]] = {}
    for judged in scenario.verdicts:
        verdicts.setdefault(judged.variant, []).append(judged.verdict)
    losses: dict[str, list[float]] = {}
    for run in scenario.runs:
        if run.verdict.figures.loss is not None:
            losses.setdefault(run.variant, []).append(run.verdict.figures.loss)
    ranked = sorted(verdicts, key=lambda variant: _ORDER.index(variant) if variant in _ORDER else len(_ORDER))
    return [_row(variant, verdicts[variant], tuple(losses.get(variant, ()))) for variant in ranked]


def _row(variant: str, verdicts: list[Verdict], losses: tuple[float, ...]) -> Row:
    """Several verdicts of one variant are its repeats on fresh secrets."""
    figures = [verdict.figures for verdict in verdicts]
    return Row(
        variant=variant,
        losses=losses,
        loss=_median(figure.loss for figure in figures),
        skipped=_median(figure.skipped for figure in figures),
        attempted=_median(figure.attempted for figure in figures),
        half_precision=_median(figure.half_precision for figure in figures),
        status=_joined(verdict.status.value for verdict in verdicts),
        why=_joined(why(verdict) for verdict in verdicts),
        trust=_joined(verdict.trust.value.replace("_", "-") for verdict in verdicts if verdict.trust),
    )


def why(verdict: Verdict) -> str:
    """What a verdict other than pass rests on: the first decisive failing check and its reason, or the cause."""
    failing = (check for check in verdict.checks if check.decisive and check.status.value == "fail")
    checks = [f"{check.name}: {check.reason}" if check.reason else check.name for check in failing]
    return checks[0] if checks else verdict.reason


def number(value: float | None) -> str:
    """Four significant digits, which is more than seeds agree on."""
    if value is None:
        return NOTHING
    return f"{value:.4g}" if math.isfinite(value) else "not finite"


def _joined(texts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(text for text in texts if text))


def _median(values: Iterable[float | None]) -> float | None:
    """The median of what is known. NaN has no order and counts as infinite."""
    known = [math.inf if math.isnan(value) else value for value in values if value is not None]
    return statistics.median(known) if known else None
