"""What a run costs in a warm container beyond the same run in the process runner.

    python benchmarks/container_overhead.py [--image NAME] [--runs 40]

Both runners execute the gold loop of one small scenario on one seed, in turns, so that a busy machine slows both. Needs
an engine and the image of `ampfix image build`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ampfix.lab.bench import write_files
from ampfix.lab.docker_engine import DEFAULT_IMAGE
from ampfix.lab.docker_runner import DockerRunner
from ampfix.lab.process import ProcessRunner
from ampfix.lab.runner import Inputs, Runner
from ampfix.lab.spec import ScenarioSpec, find

TOYS = Path(__file__).resolve().parent.parent / "tests" / "golden" / "scenarios"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default=DEFAULT_IMAGE)
    parser.add_argument("--runs", type=int, default=40)
    args = parser.parse_args()
    spec = find("toy", TOYS)
    with tempfile.TemporaryDirectory() as name, ProcessRunner() as process, DockerRunner(image=args.image) as docker:
        folder = Path(name)
        folder.chmod(0o755)
        inputs = process.prepare(spec, 1, folder / "inputs")
        (folder / "answer").mkdir()
        write_files(folder / "answer", spec.gold_files())
        runners = {"process": process, "docker": docker}
        for label, runner in runners.items():
            started = time.perf_counter()
            _run(runner, spec, inputs, folder / f"{label}-first")
            _say(f"{label}: first run, with the server's start, {time.perf_counter() - started:.2f} s")
        seconds: dict[str, list[float]] = {label: [] for label in runners}
        for number in range(args.runs):
            for label, runner in runners.items():
                seconds[label].append(_run(runner, spec, inputs, folder / f"{label}-{number}"))
    for label, taken in seconds.items():
        low, _, high = statistics.quantiles(taken, n=4)
        _say(f"{label}: median {statistics.median(taken):.3f} s, quartiles {low:.3f} to {high:.3f}, n = {len(taken)}")
    differences = [b - a for a, b in zip(seconds["process"], seconds["docker"], strict=True)]
    _say(f"docker - process, in pairs: median {statistics.median(differences):+.3f} s")


def _run(runner: Runner, spec: ScenarioSpec, inputs: Inputs, out: Path) -> float:
    started = time.perf_counter()
    execution = runner.execute(spec, inputs.shown.parent.parent / "answer", inputs, out)
    taken = time.perf_counter() - started
    assert execution.complete, execution
    return taken


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
