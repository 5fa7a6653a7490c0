"""Sharing scenarios out to machines: every machine works out the same shares by itself, of about the same cost."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ampfix.lab.lockfile import Lock
from ampfix.lab.spec import ScenarioSpec

_OWN_LOOPS = 4  # reference, broken, gold and codemod


@dataclass(frozen=True)
class Shard:
    """The share `index` of `count`, counted from 1."""

    index: int
    count: int


def parse(text: str) -> Shard:
    """The shard that "I/N" names. Raises ValueError with a one-line message."""
    index, slash, count = text.partition("/")
    if not slash or not index.isdecimal() or not count.isdecimal() or not 1 <= int(index) <= int(count):
        raise ValueError(f"{text!r} is not I/N with I from 1 to N, such as 2/4")
    return Shard(int(index), int(count))


def share(specs: Sequence[ScenarioSpec], shard: Shard, lock: Lock | None) -> list[ScenarioSpec]:
    """A shard's scenarios, in the order given.

    The costliest scenario left goes to the share that is the cheapest so far. Costs are the lock's; a scenario that
    it does not know is taken to cost what its steps and answers do elsewhere. Nothing of the machine enters.
    """
    costs = _costs(specs, lock)
    loads = [0.0] * shard.count
    mine = set()
    for spec in sorted(specs, key=lambda spec: (-costs[spec.id], spec.id)):
        cheapest = min(range(shard.count), key=lambda place: (loads[place], place))
        loads[cheapest] += costs[spec.id]
        if cheapest == shard.index - 1:
            mine.add(spec.id)
    return [spec for spec in specs if spec.id in mine]


def _costs(specs: Sequence[ScenarioSpec], lock: Lock | None) -> dict[str, float]:
    entries = lock.scenarios if lock else {}
    known = {spec.id: entries[spec.id].cost_s for spec in specs if spec.id in entries}
    rates = [known[spec.id] / _work(spec) for spec in specs if spec.id in known]
    rate = statistics.median(rates) if rates else 1.0
    return {spec.id: known.get(spec.id, rate * _work(spec)) for spec in specs}


def _work(spec: ScenarioSpec) -> float:
    return float(spec.steps * len(spec.seeds) * (_OWN_LOOPS + len(spec.answers)))
