"""Times the arms of one workload in turn, in blocks of steps: A B C C B A, so that drift falls on all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch

from ampfix.lab.timing import interleaved

WARM_UP = 10
"""Steps before the clock starts: kernels are chosen, caches filled, and a loss scale of 2**16 has come down."""
_LEAST_BLOCK, _MOST_BLOCK = 3, 50


def passes(steps: Mapping[str, Callable[[], None]], seconds: float, rounds: int, device: str) -> dict[str, list[float]]:
    """Milliseconds a step of each arm in each pass, the median of its block. Each round is two passes.

    seconds: about how long all of it may take, warm-up aside; at least three steps a block are run however long.
    """
    cost = {arm: _warm_up(step, device) for arm, step in steps.items()}
    share = seconds / (2 * rounds * len(steps))
    blocks = {arm: min(max(_LEAST_BLOCK, int(share / one)), _MOST_BLOCK) for arm, one in cost.items()}
    clock = _cuda_block if device == "cuda" else _cpu_block
    found: dict[str, list[float]] = {arm: [] for arm in steps}
    for arm in interleaved(tuple(steps), rounds):
        found[arm].append(statistics.median(clock(steps[arm], blocks[arm])))
    return found


def _warm_up(step: Callable[[], None], device: str) -> float:
    """Seconds of the fastest warm-up step."""
    found = []
    for _ in range(WARM_UP):
        began = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return max(min(found), 1e-6)


def _cpu_block(step: Callable[[], None], count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.perf_counter()
        step()
        found.append((time.perf_counter() - began) * 1e3)
    return found


def _cuda_block(step: Callable[[], None], count: int) -> list[float]:
    """Each step lies between two events, and the device is waited for once."""
    marks: list[Any] = [_event() for _ in range(count + 1)]
    torch.cuda.synchronize()
    for mark in marks[:-1]:
        mark.record()
        step()
    marks[-1].record()
    torch.cuda.synchronize()
    return [float(one.elapsed_time(other)) for one, other in pairwise(marks)]


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
