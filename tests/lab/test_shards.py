"""Shares of the suite: together they are everything once, about equally costly, and the same on every machine."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.lockfile import Lock, LockedScenario
from ampfix.lab.shards import Shard, parse, share
from ampfix.lab.spec import ScenarioSpec

COSTS = st.lists(st.none() | st.floats(0.1, 100), min_size=1, max_size=30)


def suite_of(costs: list[float | None], toy: ScenarioSpec) -> tuple[list[ScenarioSpec], Lock]:
    specs = [toy.model_copy(update={"id": f"s{place:02d}", "steps": 40 + place}) for place in range(len(costs))]
    known = {
        spec.id: LockedScenario(content_sha256="", cost_s=cost, variants={})
        for spec, cost in zip(specs, costs, strict=True)
        if cost is not None
    }
    return specs, Lock(versions={}, policy="cuda", device="cpu", scenarios=known)


@given(costs=COSTS, count=st.integers(1, 8), seed=st.integers(0, 99))
def test_shares_hold_everything_once_whatever_the_order(costs, count, seed, toy: ScenarioSpec) -> None:
    specs, lock = suite_of(costs, toy)
    shuffled = random.Random(seed).sample(specs, len(specs))
    shares = [[spec.id for spec in share(specs, Shard(index, count), lock)] for index in range(1, count + 1)]
    again = [{spec.id for spec in share(shuffled, Shard(index, count), lock)} for index in range(1, count + 1)]
    assert sorted(name for one in shares for name in one) == [spec.id for spec in specs]
    assert [set(one) for one in shares] == again
    assert all(one == sorted(one) for one in shares), "the order given is kept"


@given(costs=st.lists(st.floats(0.1, 100), min_size=1, max_size=30), count=st.integers(1, 8))
def test_no_share_costs_more_than_another_by_more_than_one_scenario(costs, count, toy: ScenarioSpec) -> None:
    specs, lock = suite_of(costs, toy)
    loads = [
        sum(lock.scenarios[spec.id].cost_s for spec in share(specs, Shard(index, count), lock))
        for index in range(1, count + 1)
    ]
    assert max(loads) - min(loads) <= max(costs) + 1e-9


def test_without_a_lock_steps_and_answers_are_the_cost(toy: ScenarioSpec) -> None:
    long = toy.model_copy(update={"id": "long", "steps": 1000})
    short = [toy.model_copy(update={"id": f"short-{place}", "steps": 100}) for place in range(5)]
    shares = [{spec.id for spec in share([*short, long], Shard(index, 2), None)} for index in (1, 2)]
    assert {"long"} in shares


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3", "1.0/2", " 1/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not I/N"):
        parse(text)


def test_a_shard_is_counted_from_one() -> None:
    assert (parse("1/1"), parse("2/4")) == (Shard(1, 1), Shard(2, 4))
