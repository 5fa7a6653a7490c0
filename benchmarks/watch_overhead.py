"""What watching a loop costs: paired and interleaved runs with and without `ampfix.watch`, one thread, CPU time.

    python benchmarks/watch_overhead.py [--pairs 10] [--steps 120] [--write benchmarks/results/watch_overhead.json]

Prints the ratio of the times of whole runs of a small transformer with its 95 % interval, and whether the weights are
the same bit by bit. A run's time is the sum of its steps' times, each the median over the pairs, so that a burst of
somebody else's work, which lasts a few steps of one run, does not count; the interval is a bootstrap over the pairs.
Exits with 1 where the upper bound exceeds 1.05 or a weight differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import nn

from ampfix.watch import Watch

BOUND = 1.05
_DRAWS = 1000


def train(steps: int, watched: bool, folder: str) -> tuple[list[float], list[torch.Tensor]]:
    """CPU seconds of each step, and the weights. Autocast in bfloat16 with a scaler, unscale_ and a clip.

    bfloat16, since a CPU multiplies float16 so slowly that any overhead would vanish beside it.
    """
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, dropout=0.0)
    net, inputs = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), torch.randn(8, 64, 128)
    times = []
    with Watch(folder) if watched else contextlib.nullcontext():
        optimizer, scaler = torch.optim.AdamW(net.parameters(), lr=1e-4), torch.amp.GradScaler("cpu")
        for _ in range(steps):
            began = time.process_time()
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = net(inputs).float().square().mean()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            times.append(time.process_time() - began)
    return times, [parameter.detach() for parameter in net.parameters()]


def total(runs: list[list[float]]) -> float:
    """A run's time, each step the median over the runs."""
    return sum(map(statistics.median, zip(*runs, strict=True)))


def interval(watched: list[list[float]], plain: list[list[float]]) -> tuple[float, float]:
    """Of the ratio, 95 %: a bootstrap over the pairs."""
    chance, ratios = random.Random(0), []
    for _ in range(_DRAWS):
        drawn = chance.choices(range(len(plain)), k=len(plain))
        ratios.append(total([watched[pair] for pair in drawn]) / total([plain[pair] for pair in drawn]))
    ratios.sort()
    return ratios[round(0.025 * _DRAWS)], ratios[round(0.975 * _DRAWS) - 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    times: dict[bool, list[list[float]]] = {True: [], False: []}
    same = True
    with tempfile.TemporaryDirectory() as folder:
        train(3, True, folder)
        for pair in range(args.pairs):
            order = ((False, True), (True, False))[pair % 2]
            runs = {watched: train(args.steps, watched, folder) for watched in order}
            for watched, (seen, _) in runs.items():
                times[watched].append(seen)
            same &= all(torch.equal(one, other) for one, other in zip(runs[True][1], runs[False][1], strict=True))
            print(f"pair {pair}: x{sum(runs[True][0]) / sum(runs[False][0]):.3f}", flush=True)
    ratio, (low, high) = total(times[True]) / total(times[False]), interval(times[True], times[False])
    step = total(times[False]) / args.steps * 1e3
    print(f"transformer: x{ratio:.3f} (95 %: {low:.3f} to {high:.3f}), {args.steps} steps of {step:.1f} ms")
    print(f"weights bit-identical: {same}")
    if args.write:
        found = {
            "ratio": ratio, "low": low, "high": high, "pairs": args.pairs, "steps": args.steps, "step_ms": step,
            "bit_identical": same, "torch": torch.__version__, "machine": platform.machine(),
        }  # fmt: skip
        args.write.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(high > BOUND or not same)


if __name__ == "__main__":
    sys.exit(main())
