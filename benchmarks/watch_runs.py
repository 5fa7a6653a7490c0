"""One scenario's loop under watch, in a process of its own: what was told, and how weights and losses went."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from ampfix.emulate import cuda
from ampfix.lab.spec import ScenarioSpec
from ampfix.watch import log
from ampfix.watch.monitor import Companion, TraceDone, Watch
from graders import ampfix_task, ranks, run_loop
from graders.modules import load_module

_SKETCH = 256  # numbers that stand for all weights


@dataclass
class Ran:
    """steps: loss and applied of each attempt. weights: a sketch of them before the first attempt and after each.

    exact: whether a replay had the same losses, None where there was none.
    """

    alarms: list[dict[str, Any]]
    error: str
    first_bad: int | None
    steps: list[dict[str, Any]]
    weights: list[list[float]]
    exact: bool | None = None


def sketch(modules: dict[str, torch.nn.Module]) -> list[float]:
    """Sums of weights with random signs (a count sketch), which keeps distances."""
    with torch.no_grad(), _disable_current_modes(), torch._C.DisableTorchFunction():
        values = torch.cat([torch.zeros(1), *(
            item.detach().reshape(-1).float().cpu() for module in modules.values() for item in module.parameters()
        )])  # fmt: skip
        generator = torch.Generator().manual_seed(0)
        bins = torch.randint(_SKETCH, values.shape, generator=generator)
        signs = torch.randint(2, values.shape, generator=generator) * 2.0 - 1
        total = torch.zeros(_SKETCH).index_add_(0, bins, values * signs)
        return [float(value) for value in total]


def watched(
    spec: ScenarioSpec,
    files: dict[str, str],
    seed: int,
    trace_step: int | None = None,
    companions: Sequence[Companion] = (),
) -> dict[str, Any]:
    """Run a loop under watch in this process, which is spoilt afterwards; as several ranks where it wants them."""
    with tempfile.TemporaryDirectory() as name:
        folder, scratch, records = Path(name, "answer"), Path(name, "scratch"), Path(name, "records")
        scratch.mkdir()
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        task_module = load_module("task", spec.task_file)
        data, modules = task_module.data(seed), task_module.build(seed)
        run_loop.resolve = lambda path: str(folder) if path == run_loop.ANSWER else path
        job = run_loop.LoopJob(spec.entry, spec.style, spec.steps, spec.snapshot_step, spec.device.profile)
        with cuda(spec.device.profile):
            torch.manual_seed(0)

            def watch() -> Watch:
                return Watch(records, root=folder, trace_step=trace_step, tell=lambda _: None, companions=companions)

            def attempt(rank: int) -> dict[str, Any]:
                batches = ampfix_task.Batches(data.train[rank :: spec.processes], spec.steps)
                task = ampfix_task.Task(modules, batches, torch.device("cuda"), spec.steps, scratch)
                return _run(job, task, watch())

            peers = ranks.start(spec.processes, lambda rank: attempt(rank) and {})
            told = attempt(0)
            ranks.finish(peers, {})
        for record in sorted(records.glob("watch-[1-9].jsonl")):
            told["alarms"] += [line for line in log.read(record) if line["kind"] == "alarm"]
    return told


def _run(job: run_loop.LoopJob, task: ampfix_task.Task, watch: Watch) -> dict[str, Any]:
    error, steps, weights = "", [], [sketch(task.modules)]

    def stepped(facts: Any) -> None:
        steps.append({"loss": None if facts.loss is None else repr(facts.loss), "applied": facts.applied})
        weights.append(sketch(task.modules))

    watch._on_step = stepped
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
        "steps": steps,
        "weights": weights,
    }


def apart(work: Callable[[], dict[str, Any]]) -> Ran:
    """What `work` returns in a forked process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.setpgid(0, 0)
        warnings.simplefilter("ignore")
        try:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                payload = json.dumps(work())
        except BaseException:
            payload = json.dumps({"crash": traceback.format_exc()})
        with os.fdopen(write, "w") as pipe:
            pipe.write(payload)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    told = json.loads(text)
    if "crash" in told:
        sys.exit(told["crash"])
    return Ran(**told)


def judged(spec: ScenarioSpec, files: dict[str, str], seed: int) -> Ran:
    """A run, and its replay where it went wrong for good."""
    told = apart(lambda: watched(spec, files, seed))
    if told.first_bad is not None:
        again = apart(lambda: watched(spec, files, seed, told.first_bad))
        told.exact = [step["loss"] for step in again.steps] == [step["loss"] for step in told.steps[: len(again.steps)]]
        told.alarms += [alarm for alarm in again.alarms if alarm not in told.alarms]
    return told
