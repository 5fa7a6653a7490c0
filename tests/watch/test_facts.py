"""Curves and extremes of bounded size."""

from __future__ import annotations

from ampfix.watch.facts import Range, Thinned


def test_a_thinned_curve_keeps_even_spacing_and_its_beginning() -> None:
    curve: Thinned[int] = Thinned(8)
    for value in range(1000):
        curve.append(value)
    spacing = {after - before for before, after in zip(curve.points, curve.points[1:], strict=False)}
    assert curve.points[0] == 0
    assert len(spacing) == 1
    assert 4 <= len(curve.points) <= 8
    assert len(curve) == 1000


def test_extremes_are_those_of_finite_values() -> None:
    seen = Range()
    for step, value in enumerate([1.0, float("nan"), 3.0, float("inf"), 2.0]):
        seen.add(step, value)
    summary = seen.summary()
    assert (summary["min"], summary["max"], summary["last"], summary["first_nonfinite_step"]) == (1.0, 3.0, 2.0, 1)
    assert summary["curve"] == [[0, 1.0], [1, None], [2, 3.0], [3, None], [4, 2.0]]
