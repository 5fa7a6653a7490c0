"""Every scenario under `ampfix watch`, which knows nothing of its id: is the bug noticed, when, and rightly named?

    python benchmarks/watch_scenarios.py [ID...] [--write docs/watch.md]

Runs each broken loop, and gold or the control, with CUDA emulated, each in a process of its own. A run that went wrong
for good is replayed to its first bad step, as `ampfix watch --replay` does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from ampfix.emulate import cuda
from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.watch.monitor import TraceDone, Watch
from graders import ampfix_task, run_loop
from graders.modules import load_module

BEGIN, END = "<!-- scenarios -->", "<!-- end of scenarios -->"


def watched(spec: ScenarioSpec, files: dict[str, str], seed: int, trace_step: int | None = None) -> dict[str, Any]:
    """Run a loop under watch in this process, which is spoilt afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name, "answer"), Path(name, "scratch")
        scratch.mkdir()
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        task_module = load_module("task", spec.task_file)
        data, modules = task_module.data(seed), task_module.build(seed)
        run_loop.resolve = lambda path: str(folder) if path == run_loop.ANSWER else path
        job = run_loop.LoopJob(spec.entry, spec.style, spec.steps, spec.snapshot_step, spec.device.profile)
        watch = Watch(root=folder, trace_step=trace_step, tell=lambda _: None)
        error, losses = "", []
        watch._on_step = lambda facts: losses.append(repr(facts.loss))
        with cuda(spec.device.profile):
            torch.manual_seed(0)
            batches = ampfix_task.Batches(data.train, spec.steps)
            task = ampfix_task.Task(modules, batches, torch.device("cuda"), spec.steps, scratch)
            try:
                with watch:
                    run_loop._run_entry(job, task)
            except TraceDone:
                pass
            except BaseException as failure:
                error = f"{type(failure).__name__}: {failure}"[:200]
    return {
        "alarms": [alarm.as_json() for alarm in watch.alarms],
        "error": error,
        "first_bad": watch.first_bad_step,
        "bad_op": watch.bad_op is not None,
        "losses": losses,
    }


def apart(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` returns in a forked process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            warnings.simplefilter("ignore")
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                payload = json.dumps(work())
        except BaseException:
            payload = json.dumps({"crash": traceback.format_exc()})
        os.write(write, b"") if not payload else None
        with os.fdopen(write, "w") as pipe:
            pipe.write(payload)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def judged(spec: ScenarioSpec, files: dict[str, str], seed: int) -> dict[str, Any]:
    """A run, and its replay where it went wrong for good."""
    told = apart(lambda: watched(spec, files, seed))
    if "crash" in told:
        raise SystemExit(f"{spec.id}: {told['crash']}")
    if told["first_bad"] is not None:
        again = apart(lambda: watched(spec, files, seed, told["first_bad"]))
        told["exact"] = again["losses"] == told["losses"][: len(again["losses"])]
        told["alarms"] += [alarm for alarm in again["alarms"] if alarm not in told["alarms"]]
    return told


def row(spec: ScenarioSpec, told: dict[str, Any]) -> dict[str, Any]:
    codes = [alarm["code"] for alarm in told["alarms"] if alarm.get("code")]
    first = min((alarm.get("step", 0) for alarm in told["alarms"]), default=None)
    return {
        "id": spec.id,
        "kind": spec.kind,
        "rules": spec.rules,
        "codes": list(dict.fromkeys(codes)),
        "names": [alarm["name"] for alarm in told["alarms"] if not alarm.get("code")],
        "first": first,
        "named": bool(set(codes) & set(spec.rules)),
        "detected": bool(told["alarms"] or told["error"]),
        "error": told["error"],
        "exact": told.get("exact"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, quiet = [], []
    for spec in all_specs():
        if (args.ids and spec.id not in args.ids) or spec.processes > 1:
            continue
        rows.append(row(spec, judged(spec, spec.loop_files(), args.seed)))
        print(line(rows[-1]), flush=True)
        if spec.kind == "bug":
            gold = judged(spec, spec.gold_files(), args.seed)
            quiet.append((spec.id, gold))
            for alarm in gold["alarms"]:
                print(f"    FALSE ALARM on gold: {alarm}", flush=True)
    table = summary(rows, quiet)
    print(table[-1] if table else "")
    if args.write:
        write(args.write, rows, table)


def line(found: dict[str, Any]) -> str:
    named = "yes" if found["named"] else "-" if found["kind"] == "bug" else ""
    told = ", ".join(found["codes"] + found["names"]) or ("raises" if found["error"] else "nothing")
    first = "" if found["first"] is None else str(found["first"])
    return f"| {found['id']} | {', '.join(found['rules'])} | {told} | {first} | {named} |"


def summary(rows: list[dict[str, Any]], quiet: list[tuple[str, Any]]) -> list[str]:
    bugs = [found for found in rows if found["kind"] == "bug"]
    controls = [found for found in rows if found["kind"] == "control"]
    false = [name for name, gold in quiet if gold["alarms"]] + [c["id"] for c in controls if c["codes"] or c["names"]]
    loud = f": {', '.join(false)}" if false else ""
    return [
        f"{sum(found['detected'] for found in bugs)} of {len(bugs)} bugs are noticed, "
        f"{sum(found['detected'] and (found['first'] or 0) <= 1 for found in bugs)} of them in the first two attempts; "
        f"{sum(found['named'] for found in bugs)} are named by their rule. "
        f"{len(false)} of {len(quiet) + len(controls)} right loops raise an alarm{loud}."
    ]


def write(path: Path, rows: list[dict[str, Any]], table: list[str]) -> None:
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    body = [
        *table,
        "",
        "| scenario | rules | told | first at attempt | named |",
        "|---|---|---|---|---|",
        *map(line, rows),
    ]
    path.write_text(head + BEGIN + "\n" + "\n".join(body) + "\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
