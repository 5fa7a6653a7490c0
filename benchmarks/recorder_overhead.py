"""What recording a loop costs: paired and interleaved runs with and without the recorder, one thread.

    python benchmarks/recorder_overhead.py [--pairs 15]

Prints the median ratio of step times and the middle half of the ratios, for a small transformer and for a tiny MLP
whose steps are almost nothing but overhead.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from ampfix.watch import Recorder


def transformer() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, dropout=0.0)
    return nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), torch.randn(8, 64, 128)


def mlp() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)), torch.randn(8, 16)


def train(build: Callable[[], tuple[nn.Module, torch.Tensor]], steps: int, recorded: bool) -> float:
    """CPU seconds a step, with autocast in bfloat16, a scaler, unscale_ and a clip.

    On one thread they are the clock's, and less disturbed by neighbours.
    """
    net, inputs = build()
    with Recorder() if recorded else contextlib.nullcontext():
        optimizer, scaler = torch.optim.AdamW(net.parameters(), lr=1e-4), torch.amp.GradScaler("cpu")
        began = time.process_time()
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = net(inputs).float().square().mean()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        return (time.process_time() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    for name, build, steps in (("transformer", transformer, 20), ("mlp", mlp, 150)):
        train(build, 3, True)
        ratios, plain = [], []
        for pair in range(pairs):
            times = {recorded: train(build, steps, recorded) for recorded in ((False, True), (True, False))[pair % 2]}
            ratios.append(times[True] / times[False])
            plain.append(times[False])
        low, _, high = statistics.quantiles(ratios, n=4)
        median, step = statistics.median(ratios), statistics.median(plain) * 1e3
        print(f"{name}: x{median:.3f} (middle half {low:.3f} to {high:.3f}), {steps} steps of {step:.2f} ms")


if __name__ == "__main__":
    main()
