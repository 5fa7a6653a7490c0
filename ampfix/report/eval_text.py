"""A run's summary as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from ampfix.report.tables import Text, console, new_table

if TYPE_CHECKING:
    from ampfix.agents.statistics import Interval
    from ampfix.agents.summary import Comparison, Rate, Summary


MOST_NAMES = 10
"""Requests on which one of two runs is better that are named: JSON has all."""


def write_summary(summary: Summary, stream: TextIO) -> None:
    """Print rates, families, pressures, failure patterns and reasons."""
    out = console(stream)
    out.print(Text.assemble((summary.agent, "bold"), f"  {rate(summary.rate)}"))
    if summary.by_cluster is not None:
        out.print(Text(f"with families drawn instead of answers: {interval(summary.by_cluster)}"))
    if len(summary.at_k) > 1:
        table = new_table("k>", "pass@k>", "pass^k>", "requests>")
        for each in summary.at_k:
            table.add_row(str(each.k), percent(each.pass_at), percent(each.pass_all), str(each.requests))
        out.print(table)
    table = new_table("family", "passed>", "95 % interval")
    for name, each_rate in summary.families.items():
        table.add_row(name or "(unknown scenario)", f"{each_rate.passed}/{each_rate.n}", bounds(each_rate))
    out.print(table)
    if len(summary.pressures) > 1:
        table = new_table("pressure", "passed>", "drop", "response met>")
        for name, each_rate in summary.pressures.items():
            drop, met = summary.drop.get(name), summary.pressure_met.get(name)
            shown = interval(drop) if drop is not None else ""
            table.add_row(name, f"{each_rate.passed}/{each_rate.n}", shown, f"{met.passed}/{met.n}" if met else "")
        out.print(table)
    if summary.patterns:
        table = new_table("failure pattern", "answers>", "diagnosis>", "shown by>")
        for name, pattern in summary.patterns.items():
            table.add_row(name, str(pattern.answers), percent(pattern.score), percent(pattern.shown))
        out.print(table)
    table = new_table("why", "answers>")
    for name, count in summary.reasons.items():
        table.add_row(name, str(count))
    out.print(table)
    out.print(Text(" · ".join(f"{name} {value}" for name, value in summary.machine.items()), style="dim"))


def write_comparison(comparison: Comparison, stream: TextIO) -> None:
    """Print the paired difference of two runs, and where they differ."""
    out = console(stream)
    out.print(
        Text(
            f"{comparison.one} minus {comparison.other}: {interval(comparison.difference)} "
            f"on {comparison.requests} requests"
        )
    )
    for agent, names in ((comparison.one, comparison.only_one), (comparison.other, comparison.only_other)):
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            out.print(Text(f"better by {agent}: {', '.join(names[:MOST_NAMES])}{more}"))


def rate(each: Rate) -> str:
    """A rate with its interval, and what could not be judged apart."""
    if each.interval is None:
        return f"nothing judged, {each.infra} faults of the lab"
    faults = f", {each.infra} more could not be judged" if each.infra else ""
    return f"{each.passed} of {each.n} passed, {interval(each.interval)}{faults}"


def bounds(each: Rate) -> str:
    return f"{percent(each.interval.low)} to {percent(each.interval.high)}" if each.interval else ""


def interval(each: Interval) -> str:
    return f"{percent(each.estimate)} ({percent(each.low)} to {percent(each.high)})"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"
