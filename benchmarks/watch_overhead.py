"""What watching a loop costs: a watched and a plain process train in step with each other, one thread, CPU time.

    python benchmarks/watch_overhead.py [--pairs 16] [--steps 120] [--write benchmarks/results/watch_overhead.json]

Prints the ratio of the times of whole runs of a small transformer with its 95 % interval, and whether the weights are
the same bit by bit. The two processes of a pair share a core and take turns, step by step, in an order drawn for each
step: whatever slows the machine down for longer than a step slows both down. All steps count, those too in which watch
looks closer, drawn at random as they are. The interval is a bootstrap over the pairs. Exits with 1 where the upper
bound exceeds 1.05 or a weight differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import nn

from ampfix.watch import Watch

BOUND = 1.05
_DRAWS = 1000
_EARLY = 24  # steps


def model() -> tuple[nn.Module, torch.Tensor]:
    """A small transformer encoder of four layers, and a batch for it."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, dropout=0.0)
    return nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), torch.randn(8, 64, 128)


def training(net: nn.Module, inputs: torch.Tensor) -> Iterator[float]:
    """Train without end: the CPU seconds of each step. Autocast in bfloat16 with a scaler, unscale_ and a clip.

    bfloat16, since a CPU multiplies float16 so slowly that any overhead would vanish beside it.
    """
    optimizer, scaler = torch.optim.AdamW(net.parameters(), lr=1e-4), torch.amp.GradScaler("cpu")
    while True:
        began = time.process_time()
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = net(inputs).float().square().mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        yield time.process_time() - began


def take_turns(turns: Connection, steps: int, folder: str | None) -> None:
    """A process of a pair: a step for each word on `turns`, answered by its time; the weights' hash in the end.

    folder: of the record; None for the run that is not watched.
    """
    net, inputs = model()
    with Watch(folder) if folder else contextlib.nullcontext():
        loop = training(net, inputs)
        for _ in range(steps):
            turns.recv()
            turns.send(next(loop))
    weights = b"".join(parameter.detach().numpy().tobytes() for parameter in net.parameters())
    turns.send(hashlib.sha256(weights).hexdigest())


def pair(steps: int, folder: str, chance: random.Random) -> tuple[list[float], list[float], bool]:
    """The times of a watched and a plain run, and whether they ended with the same weights."""
    fork = multiprocessing.get_context("fork")
    ends, processes = [], []
    for name in (folder, None):
        here, there = fork.Pipe()
        processes.append(fork.Process(target=take_turns, args=(there, steps, name)))
        processes[-1].start()
        ends.append(here)
    times: tuple[list[float], list[float]] = [], []
    for _ in range(steps):
        for run in chance.sample((0, 1), 2):
            ends[run].send("step")
            times[run].append(ends[run].recv())
    weights = [end.recv() for end in ends]
    for process in processes:
        process.join()
    return *times, weights[0] == weights[1]


def ratio(watched: list[list[float]], plain: list[list[float]]) -> float:
    """Of the time of all steps of all runs."""
    return sum(map(sum, watched)) / sum(map(sum, plain))


def interval(watched: list[list[float]], plain: list[list[float]]) -> tuple[float, float]:
    """Of the ratio, 95 %: a bootstrap over the pairs."""
    chance, ratios = random.Random(0), []
    for _ in range(_DRAWS):
        drawn = chance.choices(range(len(plain)), k=len(plain))
        ratios.append(ratio([watched[item] for item in drawn], [plain[item] for item in drawn]))
    ratios.sort()
    return ratios[round(0.025 * _DRAWS)], ratios[round(0.975 * _DRAWS) - 1]


def more_by_phase(watched: list[list[float]], plain: list[list[float]]) -> dict[str, float]:
    """Milliseconds more that a watched step takes, in the first steps, where most is looked at, and afterwards."""
    more = [[one - other for one, other in zip(*runs, strict=True)] for runs in zip(watched, plain, strict=True)]
    spans = {"early_ms": slice(0, _EARLY), "later_ms": slice(_EARLY, None)}
    return {name: 1e3 * statistics.fmean(itertools.chain(*(run[span] for run in more))) for name, span in spans.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    watched, plain, same, chance = [], [], True, random.Random()
    with tempfile.TemporaryDirectory() as folder:
        with Watch(folder):
            all(itertools.islice(training(*model()), 3))
        for number in range(args.pairs):
            one, other, is_same = pair(args.steps, folder, chance)
            watched.append(one)
            plain.append(other)
            same &= is_same
            print(f"pair {number}: x{sum(one) / sum(other):.3f}", flush=True)
    middle, (low, high) = ratio(watched, plain), interval(watched, plain)
    step = sum(map(sum, plain)) / args.steps / args.pairs * 1e3
    print(f"transformer: x{middle:.3f} (95 %: {low:.3f} to {high:.3f}), {args.steps} steps of {step:.1f} ms")
    more = more_by_phase(watched, plain)
    print(f"more a step: {more['early_ms']:.2f} ms in the first {_EARLY}, {more['later_ms']:.2f} ms afterwards")
    print(f"weights bit-identical: {same}")
    if args.write:
        found = {
            "ratio": middle, "low": low, "high": high, "pairs": args.pairs, "steps": args.steps, "step_ms": step,
            **more, "bit_identical": same, "torch": torch.__version__, "machine": platform.machine(),
        }  # fmt: skip
        args.write.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(high > BOUND or not same)


if __name__ == "__main__":
    sys.exit(main())
