"""What watching a loop costs: paired and interleaved runs with and without `ampfix.watch`, one thread, CPU time.

    python benchmarks/watch_overhead.py [--pairs 10] [--steps 120]

Prints the ratio of step times on a small transformer with its 95 % interval (Student's t over the pairs' log ratios),
and whether the weights are the same bit by bit. Exits with 1 where the upper bound exceeds 1.05 or they differ.
"""

from __future__ import annotations

import argparse
import contextlib
import math
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
_T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262, 12: 2.201, 15: 2.145, 20: 2.093}
"""Student's t, two-sided 95 %, by the number of pairs."""


def train(steps: int, watched: bool, folder: str) -> tuple[float, list[torch.Tensor]]:
    """CPU seconds a step, and the weights. Autocast in bfloat16 with a scaler, unscale_ and a clip.

    bfloat16, since a CPU multiplies float16 so slowly that any overhead would vanish beside it.
    """
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, dropout=0.0)
    net, inputs = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), torch.randn(8, 64, 128)
    with Watch(folder) if watched else contextlib.nullcontext():
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
        return (time.process_time() - began) / steps, [parameter.detach() for parameter in net.parameters()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, choices=sorted(_T_95), default=10)
    parser.add_argument("--steps", type=int, default=120)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logs, plain, same = [], [], True
    with tempfile.TemporaryDirectory() as folder:
        train(3, True, folder)
        for pair in range(args.pairs):
            order = ((False, True), (True, False))[pair % 2]
            runs = {watched: train(args.steps, watched, folder) for watched in order}
            logs.append(math.log(runs[True][0] / runs[False][0]))
            plain.append(runs[False][0])
            same &= all(torch.equal(one, other) for one, other in zip(runs[True][1], runs[False][1], strict=True))
            print(f"pair {pair}: x{math.exp(logs[-1]):.3f}", flush=True)
    middle = statistics.mean(logs)
    margin = _T_95[args.pairs] * statistics.stdev(logs) / math.sqrt(args.pairs)
    low, high = math.exp(middle - margin), math.exp(middle + margin)
    step = statistics.median(plain) * 1e3
    print(f"transformer: x{math.exp(middle):.3f} (95 %: {low:.3f} to {high:.3f}), {args.steps} steps of {step:.1f} ms")
    print(f"weights bit-identical: {same}")
    return int(high > BOUND or not same)


if __name__ == "__main__":
    sys.exit(main())
