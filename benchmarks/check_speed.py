"""How fast `ampfix check` starts and runs: wall time of one file, of a folder, and the slowest imports.

    python benchmarks/check_speed.py [FOLDER] [--repeats N]

Prints JSON: seconds as median, minimum and maximum over the repeats, each in a fresh interpreter.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOP = """\
import torch

scaler = torch.amp.GradScaler("cuda")
for x, y in batches:
    with torch.autocast("cuda", dtype=torch.float16):
        loss = criterion(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
"""


def wall(command: list[str], repeats: int) -> dict[str, float]:
    """Seconds a command takes; raises RuntimeError where it fails (1 means findings)."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        times.append(time.perf_counter() - started)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr.strip())
    return {
        "median_s": round(statistics.median(times), 4),
        "min_s": round(min(times), 4),
        "max_s": round(max(times), 4),
    }


def slowest_imports(command: list[str], count: int = 8) -> dict[str, float]:
    """Module -> milliseconds spent in itself, for the slowest modules."""
    shown = subprocess.run([command[0], "-X", "importtime", *command[1:]], capture_output=True, text=True).stderr
    rows = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", shown, re.MULTILINE)
    ranked = sorted(((int(micro), name) for micro, name in rows), reverse=True)[:count]
    return {name: round(micro / 1000, 2) for micro, name in ranked}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="a folder to check as well")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    check = [sys.executable, "-m", "ampfix", "check"]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "train.py")
        path.write_text(LOOP, encoding="utf-8")
        result: dict[str, object] = {
            "interpreter_alone": wall([sys.executable, "-c", "pass"], args.repeats),
            "one_file": wall([*check, str(path)], args.repeats),
            "slowest_imports_ms": slowest_imports([*check, str(path)]),
        }
    if args.folder:
        files = sum(1 for _ in Path(args.folder).rglob("*.py"))
        result["folder"] = {"files": files, **wall([*check, args.folder], max(3, args.repeats // 5))}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
