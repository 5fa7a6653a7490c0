"""Estimators against values worked out by hand, by enumeration, and by simulation."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.agents.statistics import cluster_bootstrap, mean_difference, pass_all, pass_at, wilson


@given(st.integers(1, 8), st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_pass(n: int, data: st.DataObject) -> None:
    passed, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    draws = list(combinations([True] * passed + [False] * (n - passed), k))
    assert pass_at(k, n, passed) == pytest.approx(sum(map(any, draws)) / len(draws))
    assert pass_all(k, n, passed) == pytest.approx(sum(map(all, draws)) / len(draws))


def test_more_draws_than_answers_are_refused() -> None:
    for estimator in (pass_at, pass_all):
        with pytest.raises(ValueError, match="needs 3 answers, not 2"):
            estimator(3, 2, 1)


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611)}
    for (passed, n), bounds in published.items():
        found = wilson(passed, n)
        assert (round(found.low, 4), round(found.high, 4)) == bounds


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_holds_its_estimate(passed: int, n: int) -> None:
    found = wilson(min(passed, n), n)
    assert 0 <= found.low <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.high <= 1


def test_clusters_that_differ_widen_the_interval() -> None:
    mean = lambda items: sum(items) / len(items)  # noqa: E731
    alike = {str(number): [0.0, 1.0] * 5 for number in range(8)}
    apart = {str(number): [float(number % 2)] * 10 for number in range(8)}
    narrow, wide = cluster_bootstrap(alike, mean), cluster_bootstrap(apart, mean)
    assert narrow.estimate == wide.estimate == 0.5
    assert narrow.high - narrow.low == 0.0
    assert wide.high - wide.low > 0.5
    assert cluster_bootstrap(apart, mean) == wide


def test_a_paired_difference_is_blind_to_what_both_share() -> None:
    pairs = {str(number): [(base + 0.5, base) for base in (0.0, 0.25, 0.5)] for number in range(5)}
    found = cluster_bootstrap(pairs, mean_difference)
    assert found.low == found.estimate == found.high == 0.5
