"""Time of one training step in IEEE fp32, TF32 and AMP on a CUDA device, and the ratios with their intervals.

    python benchmarks/gpu/step_time.py [--width N] [--batch N] [--rounds N]

A step is zero_grad, forward, backward, unscale, clip, optimizer and update. Arms alternate in blocks (A B C C B A),
each step lies between two CUDA events, and the device is synchronised once per block. Prints JSON. Without CUDA it
prints status "not_measured" and exits with 0: absence of a device is no failure.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

# Below this lower end of the interval no speedup is claimed.
CLAIM_FROM = 1.05
# Interquartile range over median of one arm: warn, and refuse to conclude.
NOISY, TOO_NOISY = 0.10, 0.25
WARM_UP, BLOCK = 20, 20


def interleaved(arms: Sequence[str], rounds: int) -> Iterator[str]:
    """A B C C B A, `rounds` times: drift of clocks and temperature falls on every arm alike."""
    for _ in range(rounds):
        yield from arms
        yield from reversed(arms)


def ratio_interval(base: Sequence[float], arm: Sequence[float], resamples: int = 2000) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of median(base) / median(arm)."""
    generator = random.Random(0)
    ratios = sorted(
        statistics.median(generator.choices(base, k=len(base))) / statistics.median(generator.choices(arm, k=len(arm)))
        for _ in range(resamples)
    )
    return ratios[int(0.025 * resamples)], ratios[int(0.975 * resamples)]


def spread(times: Sequence[float]) -> float:
    """Interquartile range over median."""
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / middle


def conclusion(interval: tuple[float, float], noise: float) -> str:
    """What may be said about one arm against its base."""
    if noise >= TOO_NOISY:
        return "too_noisy"
    return "faster" if interval[0] > CLAIM_FROM else "no_speedup_shown"


def summary(times: dict[str, list[float]]) -> dict[str, object]:
    """Per arm the median (ms) and spread; per faster arm its ratio to fp32 and to TF32."""
    result: dict[str, object] = {
        arm: {"median_ms": round(statistics.median(values), 4), "iqr_over_median": round(spread(values), 4)}
        for arm, values in times.items()
    }
    for base, arm in (("fp32", "tf32"), ("fp32", "amp"), ("tf32", "amp")):
        interval = ratio_interval(times[base], times[arm])
        noise = max(spread(times[base]), spread(times[arm]))
        result[f"{base}/{arm}"] = {
            "ratio": round(statistics.median(times[base]) / statistics.median(times[arm]), 4),
            "interval": [round(end, 4) for end in interval],
            "conclusion": conclusion(interval, noise),
            "warning": "noisy" if noise >= NOISY else "",
        }
    return result


def make_step(arm: str, width: int, batch: int) -> Callable[[], None]:
    """One arm's training step on a four-layer perceptron with its own weights and data on the device."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(width, width), nn.GELU()))).cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda", enabled=arm == "amp")
    x, y = torch.randn(batch, width, device="cuda"), torch.randn(batch, width, device="cuda")

    def step() -> None:
        torch.backends.cuda.matmul.allow_tf32 = arm != "fp32"
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16, enabled=arm == "amp"):
            loss = nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    return step


def measure(width: int, batch: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every step, per arm."""
    import torch

    steps = {arm: make_step(arm, width, batch) for arm in ("fp32", "tf32", "amp")}
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    times: dict[str, list[float]] = {arm: [] for arm in steps}
    for arm in interleaved(tuple(steps), rounds):
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(BLOCK + 1)]
        marks[0].record()
        for mark in marks[1:]:
            steps[arm]()
            mark.record()
        torch.cuda.synchronize()
        times[arm] += [before.elapsed_time(after) for before, after in pairwise(marks)]
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()

    import torch

    result: dict[str, object] = {"schema": 1, "torch": torch.__version__}
    if torch.cuda.is_available():
        result |= {"status": "measured", "device": torch.cuda.get_device_name(), "shape": [args.batch, args.width]}
        result |= summary(measure(args.width, args.batch, args.rounds))
    else:
        result |= {"status": "not_measured", "reason": "torch sees no CUDA device"}
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
