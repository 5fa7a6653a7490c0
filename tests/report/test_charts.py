"""Charts: scales keep order and bounds, ticks are round and inside, SVG is well-formed whatever the values."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ampfix.report import bars, curves, histogram, svg
from ampfix.report.scales import fit
from ampfix.report.svg import Dots, dot_plot

# The span of losses and scales; differences below the floats' own spacing cannot be drawn apart.
FINITE = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9)
ANY = st.floats(allow_nan=True, allow_infinity=True, width=32)
START, STOP = 100.0, 500.0


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


@given(st.lists(FINITE, min_size=1))
def test_every_value_lies_between_the_ends(values: list[float]) -> None:
    scale = fit(values, START, STOP)
    assert all(START <= scale(value) <= STOP for value in values)


@given(st.lists(FINITE, min_size=2))
def test_larger_values_never_lie_before_smaller_ones(values: list[float]) -> None:
    scale = fit(values, START, STOP)
    places = [scale(value) for value in sorted(values)]
    assert all(before <= after + 1e-9 for before, after in itertools.pairwise(places))


@given(st.lists(FINITE, min_size=2), st.integers(2, 9))
def test_ticks_are_few_ascending_and_inside(values: list[float], most: int) -> None:
    assume(max(values) - min(values) > 1e-6 * max(map(abs, values)))
    scale = fit(values, START, STOP)
    ticks = scale.ticks(most)
    spacing = scale.high - scale.low
    assert len(ticks) <= most + 1
    assert ticks == sorted(ticks)
    assert all(scale.low - 1e-9 * spacing <= tick <= scale.high + 1e-9 * spacing for tick in ticks)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [((0.0, 10.0), [0, 5, 10]), ((0.01, 100.0), [0.01, 0.1, 1, 10, 100]), ((0.2, 0.3), None)],
)
def test_ticks_are_round(values, ticks) -> None:
    found = fit(values, START, STOP).ticks()
    assert found and all(float(f"{tick:.2g}") == pytest.approx(tick) for tick in found)
    if ticks:
        assert found == pytest.approx(ticks)


def test_a_wide_range_of_positive_values_is_logarithmic_and_others_are_not() -> None:
    assert fit([1e-3, 1.0], 0, 1).log
    assert not fit([0.5, 1.0], 0, 1).log
    assert not fit([-1.0, 1e6], 0, 1).log


@given(st.lists(st.tuples(st.text(), st.lists(ANY, max_size=5)), min_size=1, max_size=6))
def test_dot_plots_are_well_formed_and_count_every_value(rows: list[tuple[str, list[float]]]) -> None:
    labelled = [("".join(c for c in label if c.isprintable()), values) for label, values in rows]
    root = parsed(dot_plot([Dots(label, tuple(values), "status-pass") for label, values in labelled], "loss"))
    everything = [value for _, values in rows for value in values]
    dots = [element for element in root.iter() if element.get("class", "").startswith("dot")]
    assert len(dots) == sum(map(math.isfinite, everything))
    assert counted(root) == len(everything) - len(dots)


def counted(root: ElementTree.Element) -> int:
    """How many values the notes at the right stand for."""
    notes = [element.text or "" for element in root.iter() if element.get("class", "").startswith("lost")]
    return sum(int(part.split()[0]) for note in notes for part in note.split(", "))


def test_values_far_above_are_counted_and_leave_the_rest_room() -> None:
    values = (0.1, 0.2, 0.3, 1e8, math.nan)
    root = parsed(dot_plot([Dots("row", values, "status-fail")], "loss", limit=10.0))
    places = [float(element.get("cx", "")) for element in root.iter() if element.tag.endswith("circle")]
    assert len(places) == 3 and max(places) - min(places) > 200
    assert counted(root) == 2


counts = st.dictionaries(st.integers(-149, 127), st.integers(0, 10**6), max_size=40)


@given(counts, st.integers(-40, 40))
def test_shares_of_the_zones_add_up_and_follow_the_scale(found: dict[int, int], shift: int) -> None:
    told = histogram.shares(found, shift)
    assert list(told) == [name for name, _ in histogram.ZONES]
    total = sum(found.values())
    assert sum(told.values()) == pytest.approx(1.0 if total else 0.0)
    flushed = sum(count for at, count in found.items() if at + shift < histogram.FLUSH)
    assert told["flushed to zero"] == pytest.approx(flushed / total if total else 0.0)


@given(st.lists(st.floats(allow_nan=True, width=32), max_size=3000), st.integers(20, 400))
def test_thinning_keeps_extremes_and_order(values: list[float], most: int) -> None:
    points = [(float(at), value) for at, value in enumerate(values)]
    kept = curves.thinned(points, most)
    assert len(kept) <= 2 * most + 2
    assert [at for at, _ in kept] == sorted(at for at, _ in kept)
    finite = [value for _, value in points if math.isfinite(value)]
    if finite and min(finite) < 0 < max(finite):
        assert {min(finite), max(finite)} <= {value for _, value in kept}
    if any(not math.isfinite(value) for value in values):
        assert any(not math.isfinite(value) for _, value in kept)


@given(st.lists(st.tuples(st.floats(0.01, 50), st.floats(1.0, 3.0)), min_size=1, max_size=8))
def test_a_forest_plot_holds_every_interval(rows: list[tuple[float, float]]) -> None:
    ratios = [
        svg.Ratio(f"row {index}", low, low * wide, low * wide**2, "tone-0") for index, (low, wide) in enumerate(rows)
    ]
    chart = svg.forest_plot(ratios, "times as fast", [(1.05, "a gain")])
    places = [float(x) for x in re.findall(r'<circle[^>]* cx="([\d.]+)"', chart)]
    assert len(places) == len(rows)
    assert all(svg.LABEL <= x <= svg.WIDTH - svg.RIGHT for x in places)


@given(st.lists(st.lists(st.floats(0, 1e15), min_size=2, max_size=2), min_size=1, max_size=6))
def test_stacked_bars_stay_on_the_page_and_keep_their_proportions(rows: list[list[float]]) -> None:
    drawn = [bars.Bar(f"row {index}", (("a", one), ("b", other))) for index, (one, other) in enumerate(rows)]
    chart = bars.stacked(drawn, "memory", str)
    widths = [float(x) for x in re.findall(r'y="[\d.]+" width="([\d.]+)" height="18"', chart)]
    assert len(widths) == sum(amount > 0 for row in rows for amount in row)
    assert all(width <= svg.WIDTH for width in widths)


NAMES = st.lists(st.text("abcdef-, ", min_size=1, max_size=30), min_size=1, max_size=12)


@given(NAMES)
def test_names_of_curves_never_lie_over_each_other_or_over_the_curves(names: list[str]) -> None:
    root = parsed(curves.line_chart([curves.Curve(name, ((0, 1.0), (1, 2.0)), "tone-0") for name in names], "loss"))
    legends = [element for element in root.iter() if element.get("class", "").startswith("legend")]
    assert len(legends) == len(names)
    by_line: dict[float, list[tuple[float, float]]] = {}
    for element in legends:
        end = float(element.get("x", 0))
        by_line.setdefault(float(element.get("y", 0)), []).append((end - 6.2 * len(element.text or ""), end))
    for spans in by_line.values():
        assert all(start >= left for (start, _), (_, left) in itertools.pairwise(sorted(spans)[::-1])), spans
        assert min(start for start, _ in spans) > 0
    heights = [float(y) for path in root.iter() if path.get("class", "").startswith("curve")
               for y in re.findall(r" ([\d.]+)", path.get("d", ""))]  # fmt: skip
    assert min(heights) > max(by_line)


def test_scales_of_several_scalers_are_told_apart() -> None:
    two = [curves.Curve(name, ((0, scale), (9, scale)), f"tone-{at}") for at, (name, scale) in
           enumerate((("Adam-0", 256.0), ("Adam-1", 1024.0)))]  # fmt: skip
    root = parsed(curves.scale_chart(two, [3]))
    drawn = [path.get("d", "") for path in root.iter() if path.get("class", "").startswith("curve")]
    assert len(drawn) == 2 and not any("V" in path.partition("V")[2] for path in drawn)
    assert {"Adam-0", "Adam-1", "1 skipped (red marks)"} <= {element.text for element in root.iter()}
