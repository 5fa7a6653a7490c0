"""A thousand stored answers through `ampfix grade`: unbroken, and killed twice on the way.

    python benchmarks/stored_answers.py [--answers 1000] [--out FOLDER] [--json FILE]

The answers come in every form that is taken, to every fourth scenario: most fail early (no code, no Python, a loop that
raises), some train to the end, some are equal. Three gradings on one secret:

    unbroken    the whole file
    killed      the same, ended by SIGKILL at two random places and started again: results have to be equal
    early       the answers that fail early, alone: seconds an answer, all included

Memory is that of the grading process, sampled while it works. It rises until the largest window of answers has been
held, so its slope is fitted to the second half. A grading whose figures FOLDER holds already is skipped, and --only
does one of them. Exits with 1 where results differ, memory grows by more than 8 MiB in a thousand loops, or early
answers take longer than 0.3 s on average.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stored_forms import EARLY, LATE, Made, make

from ampfix.lab.spec import all_specs

SECRET = "5eed5eed5eed5eed"
GRADINGS = ("unbroken", "killed", "early")
EARLY_S, GROWTH_MIB = 0.3, 8.0
_SHARE_EARLY = 0.85
_EVERY = 4  # of the scenarios
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


def answers(count: int) -> list[Made]:
    """The same for every run of this program."""
    draw = random.Random(0)
    specs = all_specs()[::_EVERY]
    forms: Sequence[Any]
    found = []
    for number in range(count):
        forms = EARLY if draw.random() < _SHARE_EARLY else LATE
        found.append(make(forms[number % len(forms)], draw.choice(specs), number))
    return found


def grade(path: Path, out: Path, on_sample: Callable[[int, float], bool]) -> int:
    """Run `ampfix grade`; on_sample(verdicts so far, MiB) says every half second whether to kill it. Its exit code."""
    command = [sys.executable, "-m", "ampfix", "grade", str(path), "--out", str(out), "--secret", SECRET]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    verdicts = out / "verdicts"
    while process.poll() is None:
        done = sum(1 for _ in os.scandir(verdicts)) if verdicts.is_dir() else 0
        if on_sample(done, _private_mib(process.pid)):
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()
        time.sleep(0.5)
    return process.returncode


def _private_mib(pid: int) -> float:
    """Resident memory that is not shared with files."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return (int(pages[1]) - int(pages[2])) * _PAGE_MIB if len(pages) > 2 else 0.0


def unbroken(path: Path, out: Path) -> dict[str, Any]:
    samples: list[tuple[int, float]] = []

    def sample(done: int, mib: float) -> bool:
        samples.append((done, mib))
        return False

    began = time.monotonic()
    code = grade(path, out, sample)
    return {"exit_code": code, "seconds": time.monotonic() - began, "memory": _memory(samples)}


def _memory(samples: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """The highest value, and the curve against distinct loops judged, thinned."""
    measured = [(done, mib) for done, mib in samples if done and mib > 0]
    chosen = measured[:: max(1, len(measured) // 40)]
    return {
        "peak_mib": max(mib for _, mib in measured),
        "curve": [[done, round(mib, 1)] for done, mib in chosen],
    }


def _slope(curve: Sequence[Sequence[float]]) -> float:
    """MiB in a thousand loops, over the second half of them."""
    late = [(done, mib) for done, mib in curve if done >= curve[-1][0] / 2]
    return 1000 * statistics.linear_regression([done for done, _ in late], [mib for _, mib in late]).slope


def killed(path: Path, out: Path, loops: int) -> dict[str, Any]:
    """Two kills at random places of the work that is left, then to the end."""
    draw = random.Random(time.time_ns())
    places = sorted(draw.sample(range(loops // 10, 9 * loops // 10), 2))
    kept: list[int] = []
    for place in places:
        grade(path, out, lambda done, _, place=place: done >= place)  # type: ignore[misc]
        kept.append(sum(1 for _ in (out / "verdicts").iterdir()))
    code = grade(path, out, lambda *_: False)
    return {"exit_code": code, "killed_at": places, "kept": kept}


def _results(out: Path) -> list[str]:
    """Result lines without the seconds that runs took."""
    lines = []
    for text in (out / "results.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        line["verdict"]["wall_s"] = 0
        lines.append(json.dumps(line, sort_keys=True))
    return lines


def _write(path: Path, made: Sequence[Made]) -> Path:
    path.write_bytes(b"".join(each.line for each in made))
    return path


def measure(made: Sequence[Made], folder: Path, gradings: Sequence[str]) -> None:
    """Those gradings that `folder` does not hold yet, one by one."""
    path = _write(folder / "answers.jsonl", made)
    early = _write(folder / "early.jsonl", [each for each in made if each.is_early])
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "unbroken": lambda: unbroken(path, folder / "unbroken"),
        "killed": lambda: killed(path, folder / "killed", _loops(folder)),
        "early": lambda: unbroken(early, folder / "early"),
    }
    for name in gradings:
        figures = folder / f"{name}.json"
        if not figures.exists():
            figures.write_text(json.dumps(measures[name]()))


def _loops(folder: Path) -> int:
    return sum(1 for _ in (folder / "unbroken" / "verdicts").iterdir())


def report_on(made: Sequence[Made], folder: Path) -> dict[str, Any]:
    whole, broken, alone = (json.loads((folder / f"{name}.json").read_text()) for name in GRADINGS)
    results = _results(folder / "unbroken")
    verdicts = [json.loads(line)["verdict"] for line in results]
    few = sum(each.is_early for each in made)
    return {
        "schema": 1,
        "answers": len(made),
        "forms": dict(Counter(each.form for each in made).most_common()),
        "distinct_loops": _loops(folder),
        "cores": os.cpu_count(),
        "statuses": dict(Counter(each["status"] for each in verdicts)),
        "reasons": dict(Counter(each["reason"] for each in verdicts if each["reason"]).most_common()),
        "unbroken": {**whole, "mib_in_1000_loops": _slope(whole["memory"]["curve"])},
        "killed": broken,
        "equal": results == _results(folder / "killed"),
        "early": {"answers": few, "seconds_each": alone["seconds"] / few, **alone},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="keep everything there (default: a temporary folder)")
    parser.add_argument("--only", choices=GRADINGS, help="do this grading into --out, and report nothing")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ampfix-stored-") as name:
        folder = args.out or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        made = answers(args.answers)
        measure(made, folder.resolve(), [args.only] if args.only else GRADINGS)
        if args.only:
            return 0
        report = report_on(made, folder.resolve())
    text = json.dumps(report, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")
    flat = report["unbroken"]["mib_in_1000_loops"] <= GROWTH_MIB
    return 0 if report["equal"] and flat and report["early"]["seconds_each"] <= EARLY_S else 1


if __name__ == "__main__":
    sys.exit(main())
