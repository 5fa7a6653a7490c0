"""What grading an answer costs beyond the loop's own time, and where it goes: process runner, warm, one run at a time.

    python benchmarks/grading_overhead.py [--scenario clip-before-unscale] [--answers 30] [--json FILE]

Every answer is the gold loop under another hash, so nothing is remembered. The loop says when it began and ended on the
machine's monotonic clock; all else is overhead:

    files     the answer is written to disk
    start     from the request to the loop's first line: forks, jail, task, inputs, emulation, recorder
    end       from the loop's last line to the reply: weights over the pipe, end of the jail, reply
    judge     a fork of the judge reads, checks and evaluates the weights; meanwhile the recorded events are replayed

Medians suffer from neighbours on the machine; the fastest quarter shows what an idle one takes. `cpu` is what all
processes together computed, the loop's own share taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from ampfix.lab.bench import Bench, Ground, write_files
from ampfix.lab.measurement import measure
from ampfix.lab.process import ProcessRunner
from ampfix.lab.seeds import new_secret, run_seed
from ampfix.lab.spec import ScenarioSpec, find

LIMIT_S = 0.12
STAGES = ("files", "start", "end", "judge")
_TIMED = """

def _timed(function):
    def timed(task):
        import time
        began, computed = time.monotonic(), time.process_time()
        function(task)
        print("timed", began, time.monotonic(), time.process_time() - computed)
    return timed


train = _timed(train)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="clip-before-unscale", help="one in function style")
    parser.add_argument("--answers", type=int, default=30)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    spec = find(args.scenario)
    with ProcessRunner() as runner, Bench(runner, workers=1) as bench:
        ground = bench.ground(spec, run_seed(new_secret(), spec.id, 0)).result()
        for number in range(3):
            _answer(bench, spec, ground, number)
        _settle(runner)
        before = _cpu_s(runner)
        answers = [_answer(bench, spec, ground, 3 + number) for number in range(args.answers)]
        computed = (_cpu_s(runner) - before) / len(answers) - statistics.fmean(row["loop_cpu"] for row in answers)
    report = _report(spec, answers, computed)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _answer(bench: Bench, spec: ScenarioSpec, ground: Ground, number: int) -> dict[str, float]:
    """One answer on one seed: seconds of each stage, and of the loop."""
    gold = spec.gold_files()
    files = gold | {spec.entry: f"{gold[spec.entry]}{_TIMED}# {number}\n"}
    marks = [time.monotonic()]
    folder = bench._fresh()
    write_files(folder, files)
    marks.append(time.monotonic())
    execution = bench.runner.execute(spec, folder, ground.inputs, bench._fresh())
    marks.append(time.monotonic())
    measured = measure(bench.runner, spec, ground.inputs, execution, ground.run)
    marks.append(time.monotonic())
    assert not (measured.ended or measured.weights or measured.events), measured
    line = next(line for line in execution.output.splitlines() if line.startswith("timed "))
    began, ended, computed = map(float, line.split()[1:])
    durations = {
        "files": marks[1] - marks[0],
        "start": began - marks[1],
        "end": marks[2] - ended,
        "judge": marks[3] - marks[2],
    }
    return durations | {"overhead": sum(durations.values()), "loop": ended - began, "loop_cpu": computed}


def _settle(runner: ProcessRunner) -> None:
    """Let the servers finish what they do while idle, so that it is not counted."""
    last = -1.0
    while (now := _cpu_s(runner)) > last + 0.1:
        last = now
        time.sleep(1.0)


def _cpu_s(runner: ProcessRunner) -> float:
    """Seconds computed by this process, the servers, and all of their children that have ended."""
    own = time.process_time()
    for server in (runner._submissions, runner._judge):
        fields = Path(f"/proc/{server._process.pid}/stat").read_text().rpartition(")")[2].split()  # type: ignore[union-attr]
        own += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return own


def _report(spec: ScenarioSpec, answers: list[dict[str, float]], computed: float) -> dict[str, Any]:
    fast = sorted(answers, key=lambda row: row["overhead"])[: max(1, len(answers) // 4)]
    names = (*STAGES, "overhead", "loop")
    return {
        "schema": 1,
        "scenario": spec.id,
        "answers": len(answers),
        "limit_s": LIMIT_S,
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "cpu_s": computed,
        "median_s": {name: statistics.median(row[name] for row in answers) for name in names},
        "fastest_quarter_s": {name: statistics.fmean(row[name] for row in fast) for name in names},
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{report['scenario']}, {report['answers']} answers, load {report['load']:.1f} on {report['cores']} cores")
    print(f"{'':10}{'median':>10}{'fastest quarter':>18}")
    for name in (*STAGES, "overhead", "loop"):
        print(f"{name:10}{report['median_s'][name] * 1e3:8.1f} ms{report['fastest_quarter_s'][name] * 1e3:15.1f} ms")
    print(f"{'cpu':10}{report['cpu_s'] * 1e3:8.1f} ms beside the loop")
    verdict = "within" if report["fastest_quarter_s"]["overhead"] <= LIMIT_S else "above"
    print(f"overhead is {verdict} {LIMIT_S * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
