"""Speed, memory and accuracy of training in float32, float16 with a scaler, and bfloat16, on scikit-learn's digits.

    python benchmarks/digits.py [--seeds 8] [--epochs 12] [--output FILE]

1,797 images of 8 x 8 pixels ship with scikit-learn; a quarter is held out. On a CUDA device speed and memory are the
device's. On a CPU, samples a second are measured for float32 and for native bfloat16, in turn; accuracy is that of
CUDA's numerics, emulated; float16's speed and a GPU's memory are not measured. Prints a table with the paired
differences of accuracy to float32's over seeds and their 95 % interval; the JSON says whether it stays within half a
point.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from ampfix import atomic
from ampfix.emulate import cuda
from ampfix.hardware.place import here
from ampfix.hardware.profile.modelled import Effort, profile_model
from ampfix.hardware.profile.workload import Workload

BATCH = 64
NEAR = 0.005
"""Half a point of accuracy: what such a table is expected to stay within."""
DTYPES = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
_T_95 = {4: 3.182, 6: 2.571, 8: 2.365, 10: 2.262, 12: 2.201}
"""Student's t, two-sided 95 %, by the number of pairs."""


def network() -> nn.Sequential:
    """A perceptron: a CPU runs float16 convolutions too slowly for several seeds."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def data(seed: int) -> tuple[torch.Tensor, ...]:
    """Training images and labels, then held-out ones."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    train, held = train_test_split(range(len(labels)), test_size=0.25, random_state=seed, stratify=labels)
    return images[train], labels[train], images[held], labels[held]


def accuracy(precision: str, seed: int, epochs: int) -> tuple[float, int]:
    """Held-out accuracy after training, and how many steps the scaler skipped."""
    dtype = DTYPES[precision]
    with contextlib.nullcontext() if torch.cuda.is_available() else cuda("A100"):
        images, labels, held_images, held_labels = (part.cuda() for part in data(seed))
        torch.manual_seed(seed)
        model = network().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        scaler = torch.amp.GradScaler("cuda", enabled=dtype is torch.float16)
        skipped = 0
        for batch in batches(len(labels), epochs):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=dtype or torch.float16, enabled=dtype is not None):
                loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            before = scaler.get_scale()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            skipped += scaler.get_scale() < before
        with torch.no_grad():
            return float((model(held_images).argmax(1) == held_labels).float().mean()), skipped


def batches(count: int, epochs: int) -> Iterator[torch.Tensor]:
    for _ in range(epochs):
        yield from torch.randperm(count).split(BATCH)


def paired(one: list[float], base: list[float]) -> tuple[float, float, float]:
    """Mean difference and its 95 % interval."""
    differences = [value - other for value, other in zip(one, base, strict=True)]
    middle = statistics.mean(differences)
    margin = _T_95[len(differences)] * statistics.stdev(differences) / math.sqrt(len(differences))
    return middle, middle - margin, middle + margin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, choices=sorted(_T_95), default=8)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    place = here()
    images, labels, *_ = data(0)
    batch = labels[:BATCH].to(place.device)
    work = Workload(network(), (images[:BATCH],), lambda out: nn.functional.cross_entropy(out, batch), place.device)
    timed = profile_model("digits", work, place, Effort(args.seconds))
    arms = {arm.arm: arm for arm in timed.arms}
    found = {name: [accuracy(name, seed, args.epochs) for seed in range(args.seeds)] for name in DTYPES}
    base = [value for value, _ in found["fp32"]]
    rows = {}
    for name, runs in found.items():
        scores = [value for value, _ in runs]
        difference, low, high = paired(scores, base)
        arm = arms[name]
        rows[name] = {
            "samples_per_s": BATCH / arm.step_ms * 1e3 if arm.step_ms else None,
            "not_measured": arm.reason,
            "peak_bytes": arm.peak_bytes,
            "memory_from": arm.memory_from,
            "accuracy": statistics.mean(scores),
            "difference": [difference, low, high],
            "within_half_a_point": name == "fp32" or (low >= -NEAR and high <= NEAR),
            "skipped_steps": sum(count for _, count in runs),
        }
    print("precision  samples/s  peak MiB  accuracy  difference to fp32 (95 %)     skipped")
    for name, row in rows.items():
        rate = "-" if row["samples_per_s"] is None else f"{row['samples_per_s']:.0f}"
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:.1f}"
        middle, low, high = row["difference"]
        interval = f"{100 * middle:+.2f} ({100 * low:+.2f} to {100 * high:+.2f}) points"
        print(f"{name:<9}  {rate:>9}  {peak:>8}  {row['accuracy']:8.4f}  {interval:<28}  {row['skipped_steps']:>7}")
    for name, row in rows.items():
        if row["not_measured"]:
            print(f"{name}: speed and memory not measured: {row['not_measured']}")
    result = {
        "schema": 1, "device": place.name, "accuracy_from": place.name if place.kind == "cuda" else "CUDA, emulated",
        "seeds": args.seeds, "epochs": args.epochs, "rows": rows, "gains": [gain.model_dump() for gain in timed.gains],
        "conditions": timed.conditions.model_dump(),
    }  # fmt: skip
    if args.output is not None:
        atomic.write(args.output, (json.dumps(result, indent=2) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
