"""How fast `ampfix check` is, beside ruff on the same files.

    python benchmarks/check_speed.py CORPUS [--rounds N] [--output FILE] [--plot FILE]

CORPUS is a folder of packages; missing ones are downloaded (benchmarks/corpus.py). Runs are interleaved, each in a
fresh process; figures are medians. Wall time is what a person waits, processor time what the machine works; the
latter is the one to compare on a machine that does other things. Memory is the peak of the largest process. ampfix is
byte-compiled first, as installers leave it.

The interpreter counts: with a Python that lies in a shared library and was built without profiles (3.11.7 from source,
`--enable-shared`) check takes a fifth longer than with Debian's 3.11.2, so the figures say which one ran.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
from plot import line_chart

import ampfix

AMPFIX = [sys.executable, "-m", "ampfix", "check", "--exit-zero", "--isolated"]
RUFF = [str(Path(sys.executable).with_name("ruff")), "check", "--exit-zero", "--isolated", "--select", "F,E,B"]
GROWTH = range(1, 11)

LOOP = """
def train_{number}(model, loader, criterion, clip, accumulate, device):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=1000)
    scaler = torch.amp.GradScaler("cuda")
    for step, (inputs, targets) in enumerate(loader):
        inputs, targets = inputs.to(device), targets.to(device)
        with torch.autocast("cuda", dtype=torch.float16):
            outputs = model(inputs)
            loss = criterion(outputs, targets) / accumulate
        scaler.scale(loss).backward()
        if (step + 1) % accumulate == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
        if step % 100 == 0:
            torch.save({{"model": model.state_dict(), "optimizer": optimizer.state_dict()}}, f"{{step}}.pt")


class Block_{number}(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.dense = torch.nn.LayerNorm(width), torch.nn.Linear(width, width)

    def forward(self, x):
        scores = torch.softmax(self.dense(self.norm(x)) @ x.transpose(-1, -2), dim=-1)
        return x + scores @ x
"""


@dataclass(frozen=True)
class Run:
    """wall and processor in seconds, memory in MB."""

    wall: float
    processor: float
    memory: float


def run(command: list[str]) -> Run:
    """One process and those it started. Raises RuntimeError where it fails."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{command[:4]} failed: {said.decode(errors='replace').strip()[-300:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(runs: list[Run]) -> dict[str, float]:
    return {name: round(statistics.median(asdict(each)[name] for each in runs), 3) for name in asdict(runs[0])}


def on_corpus(folders: list[Path], rounds: int) -> dict[str, object]:
    """Cold and warm runs on the whole corpus, and ruff's, taking turns."""
    names = [str(folder) for folder in folders]
    runs: dict[str, list[Run]] = {"ampfix": [], "ampfix, one process": [], "ampfix, warm": [], "ruff": []}
    with tempfile.TemporaryDirectory() as cache:
        warm = [*AMPFIX, "--cache-dir", cache, *names]
        run(warm)
        for _ in range(rounds):
            runs["ampfix"].append(run([*AMPFIX, "--no-cache", *names]))
            runs["ruff"].append(run([*RUFF, "--no-cache", *names]))
            runs["ampfix, one process"].append(run([*AMPFIX, "--no-cache", "--jobs", "1", *names]))
            runs["ampfix, warm"].append(run(warm))
    result: dict[str, object] = {name: median(each) for name, each in runs.items()}
    for name in ("ampfix", "ampfix, warm"):
        for measure in ("wall", "processor"):
            pairs = zip(runs[name], runs["ruff"], strict=True)
            ratios = [getattr(ours, measure) / getattr(theirs, measure) for ours, theirs in pairs]
            result[f"{name} / ruff, {measure}"] = round(statistics.median(ratios), 3)
    return result


def program(loops: int) -> str:
    return "import torch\n" + "".join(LOOP.format(number=number) for number in range(loops))


def growth(rounds: int, loops: int = 20) -> dict[str, object]:
    """Processor time by lines, for a file and for a folder of files that grow to ten times; a line fitted to each."""
    taken: dict[str, list[tuple[int, float]]] = {"one file": [], "a folder": []}
    with tempfile.TemporaryDirectory() as scratch:
        for factor in GROWTH:
            text = program(loops * factor)
            file = Path(scratch, f"train_{factor}.py")
            file.write_text(text, encoding="utf-8")
            folder = Path(scratch, f"tree_{factor}")
            folder.mkdir()
            for number in range(factor * loops):
                (folder / f"train_{number}.py").write_text(program(1), encoding="utf-8")
            for name, path in (("one file", file), ("a folder", folder)):
                each = [run([*AMPFIX, "--no-cache", "--jobs", "1", str(path)]).processor for _ in range(rounds)]
                lines = text.count("\n") if name == "one file" else factor * loops * program(1).count("\n")
                taken[name].append((lines, round(min(each), 3)))
    return {name: {"points": points, **fit(points)} for name, points in taken.items()}


def fit(points: list[tuple[int, float]]) -> dict[str, float]:
    """A line through the points, and how far a straight line explains them (r squared)."""
    lines, seconds = [each[0] for each in points], [each[1] for each in points]
    slope, intercept = statistics.linear_regression(lines, seconds)
    return {
        "ms_per_1000_lines": round(slope * 1e6, 1),
        "start_s": round(intercept, 3),
        "r_squared": round(statistics.correlation(lines, seconds) ** 2, 4),
    }


def one_file(rounds: int) -> dict[str, dict[str, float]]:
    """A file of one loop, and the interpreter alone."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "train.py")
        path.write_text(program(1), encoding="utf-8")
        pairs = [(run([*AMPFIX, "--no-cache", str(path)]), run([sys.executable, "-c", "pass"])) for _ in range(rounds)]
    return {"one file": median([each[0] for each in pairs]), "interpreter alone": median([each[1] for each in pairs])}


def interpreter() -> str:
    """The Python that runs: its version, its compiler, and whether it lies in a shared library, where that is seen."""
    maps = Path("/proc/self/maps")
    is_shared = maps.exists() and "libpython" in maps.read_text(encoding="utf-8")
    where = ", in a shared library" if is_shared else ""
    return f"{platform.python_version()}, {platform.python_compiler()}{where}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="the figures as JSON")
    parser.add_argument("--plot", type=Path, help="growth as SVG")
    args = parser.parse_args()
    compileall.compile_dir(Path(ampfix.__file__).parent, quiet=1)
    folders = corpus.fill(args.corpus)
    files = [path for folder in folders for path in folder.rglob("*.py")]
    result: dict[str, object] = {
        "packages": len(folders),
        "files": len(files),
        "lines": sum(path.read_bytes().count(b"\n") for path in files),
        "python": interpreter(),
        "processors": os.cpu_count(),
        "rounds": args.rounds,
        "load_before": [round(each, 1) for each in os.getloadavg()],
        **one_file(max(args.rounds, 9)),
        "corpus": on_corpus(folders, args.rounds),
        "growth": (grown := growth(3)),
        "load_after": [round(each, 1) for each in os.getloadavg()],
    }
    shown = json.dumps(result, indent=2)
    print(shown)
    if args.output:
        args.output.write_text(shown + "\n", encoding="utf-8")
    if args.plot:
        series = {name: each["points"] for name, each in grown.items()}
        args.plot.write_text(line_chart(series, "lines of code", "processor seconds"), encoding="utf-8")


if __name__ == "__main__":
    main()
