"""Runs of agents as one HTML page that needs nothing else: a leaderboard, and each distinct answer behind it.

The leaderboard is plain HTML; a script in the page draws an answer from data in the page when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ampfix import __version__
from ampfix.report.eval_answers import Answer, Pack
from ampfix.report.rows import NOTHING, number
from ampfix.report.svg import Range, range_plot

if TYPE_CHECKING:
    from ampfix.agents.grading import Graded
    from ampfix.agents.statistics import Interval
    from ampfix.agents.summary import Comparison, Rate, Summary


@dataclass(frozen=True)
class Run:
    summary: Summary
    answers: list[Answer]
    left_out: int


def render(summaries: Sequence[Summary], results: Sequence[Sequence[Graded]], comparisons: Sequence[Comparison]) -> str:
    """The page as text. results: the graded answers of each summary."""
    pack = Pack()
    runs = [Run(summary, *pack.add(graded)) for summary, graded in zip(summaries, results, strict=True)]
    return _environment().get_template("eval.html.jinja").render(
        runs=runs,
        packed=pack.text(),
        answers=sum(map(len, results)),
        comparisons=comparisons,
        forest=_forest(summaries),
        tables=_tables(summaries),
        version=__version__,
        nothing=NOTHING,
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ampfix.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=_number, percent=_percent, bounds=_bounds)
    return environment


def _forest(summaries: Sequence[Summary]) -> Markup:
    ranges = [
        Range(each.agent, each.by_cluster.low, each.by_cluster.estimate, each.by_cluster.high)
        for each in summaries
        if each.by_cluster is not None
    ]
    return Markup(range_plot(ranges, "pass rate, families drawn")) if ranges else Markup("")


Pick = Callable[["Summary", str], str]


def _tables(summaries: Sequence[Summary]) -> list[tuple[str, list[str], Pick]]:
    """(title, rows, cell) of every table with one column for each run; those without rows are left out."""
    found: list[tuple[str, list[str], Pick]] = [
        ("By family", _names(each.families for each in summaries), lambda run, name: _rate(run.families.get(name))),
        ("By pressure", _names(each.pressures for each in summaries), _pressure),
        (
            "Failure patterns: share of answers that show them",
            _names(each.patterns for each in summaries),
            lambda run, name: _percent(run.patterns[name].shown) if name in run.patterns else NOTHING,
        ),
        (
            "Passed and at least p times as fast as float32",
            _names(each.fast for each in summaries),
            lambda run, name: _percent(run.fast[name]) if name in run.fast else NOTHING,
        ),
        (
            "Why",
            _names(each.reasons for each in summaries),
            lambda run, name: str(run.reasons.get(name, 0)),
        ),
    ]
    return [table for table in found if table[1]]


def _names(dictionaries: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for each in dictionaries for name in each))


def _rate(rate: Rate | None) -> str:
    return f"{rate.passed}/{rate.n}" if rate is not None else NOTHING


def _pressure(run: Summary, name: str) -> str:
    drop = run.drop.get(name)
    shown = f", drop {_percent(drop.estimate)} ({_bounds(drop)})" if drop is not None else ""
    return _rate(run.pressures.get(name)) + shown


def _number(value: float | None) -> str:
    return number(None if value is None else float(value))


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _bounds(interval: Interval | None) -> str:
    return f"{_percent(interval.low)} to {_percent(interval.high)}" if interval is not None else NOTHING
