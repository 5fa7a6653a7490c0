"""Every scenario under `ampfix watch`, which knows nothing of its id: is the bug noticed, when, and rightly named?

    python benchmarks/watch_scenarios.py [ID...] [--write docs/watch.md]

Runs each broken loop, and gold or the control, with CUDA emulated, each in a process of its own. A run that went wrong
for good is replayed to its first bad step, as `ampfix watch --replay` does. Results are kept by scenario in
benchmarks/results/watch_scenarios.json, so that some can be run again; --write renders all of them.

A scenario's first faulty step is measured: the first attempt at which the broken loop's outcome is not gold's. It took
a step that gold skipped or the other way round, its loss is not finite, it raised, or its weights are further from
gold's than a tenth of the way that gold's have gone (gold itself keeps within 0.09 of float32 in this measure). A bug
that never shows in any of these is there from the first step on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from ampfix.lab.spec import ScenarioSpec, all_specs
from benchmarks.watch_runs import Ran, judged

RESULTS = Path(__file__).parent / "results" / "watch_scenarios.json"
BEGIN, END = "<!-- scenarios -->", "<!-- end of scenarios -->"
APART = 0.1


def first_faulty(broken: Ran, gold: Ran, ranks: int) -> int:
    """The first attempt of the broken loop that is not gold's. Of several ranks, the first one's losses tell as well:
    which batch it is at."""
    start = gold.weights[0]
    for attempt, (one, other) in enumerate(zip(broken.steps, gold.steps, strict=False)):
        loss, right = (float(item["loss"] or 0) for item in (one, other))
        apart_of_others = ranks > 1 and abs(loss - right) > APART * abs(right)
        travelled = math.dist(gold.weights[attempt + 1], start)
        apart = math.dist(broken.weights[attempt + 1], gold.weights[attempt + 1])
        is_other = one["applied"] != other["applied"] or not math.isfinite(loss) or not apart <= APART * travelled
        if is_other or apart_of_others:
            return attempt
    return len(broken.steps) if len(broken.steps) < len(gold.steps) else 0


def row(spec: ScenarioSpec, broken: Ran, gold: Ran | None) -> dict[str, Any]:
    alarms = broken.alarms
    codes = [alarm["code"] for alarm in alarms if alarm.get("code")]
    return {
        "id": spec.id,
        "kind": spec.kind,
        "rules": list(spec.rules),
        "codes": list(dict.fromkeys(codes)),
        "names": list(dict.fromkeys(alarm["name"] for alarm in alarms if not alarm.get("code"))),
        "first": min((alarm.get("step", 0) for alarm in alarms), default=None),
        "faulty": None if gold is None or spec.kind != "bug" else first_faulty(broken, gold, spec.processes),
        "named": bool(set(codes) & set(spec.rules)),
        "error": broken.error,
        "exact": broken.exact,
        "gold": [] if gold is None else [alarm.get("code") or alarm["name"] for alarm in gold.alarms],
    }


def is_detected(found: dict[str, Any]) -> bool:
    return bool(found["codes"] or found["names"])


def in_time(found: dict[str, Any]) -> bool:
    return is_detected(found) and found["first"] <= found["faulty"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = {found["id"]: found for found in json.loads(RESULTS.read_text())["rows"]} if RESULTS.is_file() else {}
    specs = {spec.id: spec for spec in all_specs()}
    for name in args.ids or ([] if args.write else specs):
        spec = specs[name]
        broken = judged(spec, spec.loop_files(), args.seed)
        gold = judged(spec, spec.gold_files(), args.seed) if spec.kind != "control" else None
        known[name] = row(spec, broken, gold)
        print(line(known[name]), flush=True)
        for alarm in gold.alarms if gold else ():
            print(f"    FALSE ALARM on gold: {alarm}", flush=True)
        rows = [known[each] for each in sorted(known) if each in specs]
        RESULTS.write_text(json.dumps({"torch": torch.__version__, "seed": args.seed, "rows": rows}, indent=1) + "\n")
    rows = [known[each] for each in sorted(known) if each in specs]
    print(summary(rows))
    if args.write:
        write(args.write, rows)


def line(found: dict[str, Any]) -> str:
    named = ("yes" if found["named"] else "no") if found["kind"] == "bug" else ""
    told = ", ".join(found["codes"] + found["names"]) or "nothing"
    first, faulty = ("" if found[name] is None else str(found[name]) for name in ("first", "faulty"))
    return f"| {found['id']} | {', '.join(found['rules'])} | {told} | {first} | {faulty} | {named} |"


def summary(rows: list[dict[str, Any]]) -> str:
    bugs = [found for found in rows if found["kind"] == "bug"]
    right = [found["gold"] for found in rows if found["kind"] != "control"]
    right += [found["codes"] + found["names"] for found in rows if found["kind"] == "control"]
    loud = [found["id"] for found in rows if found["gold"] or (found["kind"] == "control" and is_detected(found))]
    decoys = [found for found in rows if found["kind"] == "decoy"]
    seen = sum(map(is_detected, bugs))
    return (
        f"{seen} of {len(bugs)} bugs are noticed, {sum(map(in_time, bugs))} of them by the first faulty step ("
        f"{sum(is_detected(found) and found['first'] <= 1 for found in bugs)} in the first two attempts); "
        f"{sum(found['named'] for found in bugs)} are named by their rule. {len(loud)} of {len(right)} right loops "
        f"(gold and controls) raise an alarm{': ' + ', '.join(loud) if loud else ''}, and "
        f"{sum(bool(found['codes']) for found in decoys)} of {len(decoys)} decoys one that names a rule."
    )


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    head, rest = path.read_text(encoding="utf-8").split(BEGIN)
    body = [
        summary(rows),
        "",
        "| scenario | rules | told | first at attempt | first faulty | named |",
        "|---|---|---|---|---|---|",
        *map(line, rows),
    ]
    path.write_text(head + BEGIN + "\n" + "\n".join(body) + "\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
