"""Runs one submitted loop inside the jail under the recorder, and sends what came out of it.

Everything here shares its interpreter with the submission, so nothing it sends is evidence by itself: the judge looks
at the weights alone, and what the recorder says is marked self-reported.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import runpy
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ampfix.emulate import active_profile, cuda, force_fp32, gloo_for_nccl, unsupported_reason
from ampfix.protocol import Event
from ampfix.watch import Recorder
from ampfix.watch.records import to_json
from graders import ampfix_task, gpu, ranks, tensors
from graders.exchange import Kind, Sender
from graders.gate import GATE, GatedBatches
from graders.jail import resolve
from graders.modules import load_module, seed_cpu, sized

ANSWER, INPUTS, SCRATCH = "/answer", "/inputs", "/scratch"
"""Where the jail shows the answer's files, the trusted inputs (TASK, INIT, TRAIN) and an empty writable folder."""
TASK, INIT, TRAIN = "task.py", "init.safetensors", "train.safetensors"

_EVENT_BATCH = 256
_NOTHING_RECORDED: dict[str, Any] = {"attempts": 0, "skipped": 0, "final_scale": None, "flops": {}}
_MESSAGE_CHARACTERS = 300


@dataclass(frozen=True)
class LoopJob:
    """What to run.

    entry: the loop's path below ANSWER. device: "emulated" or "cuda". precision: "as_written", "fp32" or "tf32".
    processes: how many ranks run it, each on its share of the batches; rank 0 is the one recorded and judged.
    """

    entry: str
    style: str
    steps: int
    snapshot_step: int
    profile: str
    device: str = "emulated"
    precision: str = "as_written"
    processes: int = 1
    size: str = ""
    """Which of the task's sizes."""
    is_timed: bool = False
    """Serve the batches through the gate, and leave the recorder out, which would be timed along."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment, for the GPU."""


def run(job: LoopJob, descriptor: int) -> None:
    """Run the loop; events, snapshot, weights and a summary go to `descriptor`, in that order."""
    sender = Sender(descriptor)
    torch.set_num_threads(1)
    seed_cpu()
    if job.device == "cuda":
        torch.cuda.manual_seed_all(0)
    started = time.perf_counter()
    task_module = load_module("task", Path(resolve(INPUTS)) / TASK)
    modules = sized(task_module.build, 0, job.size)
    names = tuple(modules)
    initial = tensors.read(Path(resolve(INPUTS)) / INIT)
    tensors.load_state(modules, initial)
    train = tensors.read_batches(Path(resolve(INPUTS)) / TRAIN)
    events = _EventStream(sender)
    if (unusable := _unusable(job)) is not None:
        _send_summary(sender, unusable, 0, started, _NOTHING_RECORDED, None)
        return
    with _device(job) as device:

        def task_of(rank: int) -> ampfix_task.Task:
            batches = _batches(job, train[rank :: job.processes], sender)
            return ampfix_task.Task(modules, batches, device, job.steps, Path(resolve(SCRATCH)))

        peers = ranks.start(job.processes, lambda rank: _attempt(job, task_of(rank)))
        task = task_of(0)
        batches = task.batches
        assert isinstance(batches, ampfix_task.Batches)

        def on_attempt(attempt: int, _applied: bool | None) -> None:
            if attempt == job.snapshot_step - 1:  # attempts are counted from 0
                sender.send(Kind.SNAPSHOT, tensors.dump(tensors.state_of(task.modules, initial)))

        recorder = Recorder(on_event=events.add, on_attempt=on_attempt, root=Path(resolve(ANSWER)))
        with contextlib.nullcontext() if job.is_timed else recorder:
            failure = _attempt(job, task)
        failure = ranks.finish(peers, failure)
        events.flush()
        facts = _NOTHING_RECORDED if job.is_timed else recorder.summary()
        device_facts = gpu.facts() if job.device == "cuda" else None
    if not failure:
        wanted = {name: task.modules[name] for name in names if name in task.modules}
        sender.send(Kind.WEIGHTS, tensors.dump(tensors.state_of(wanted, initial)))
    _send_summary(sender, failure, batches.served, started, facts, device_facts)


def _send_summary(
    sender: Sender,
    failure: ranks.Failure,
    served: int,
    started: float,
    facts: dict[str, Any],
    device: dict[str, Any] | None,
) -> None:
    summary = {
        "completed": not failure,
        "error": failure or None,
        "batches": served,
        "loop_s": time.perf_counter() - started,
        "facts": facts,
        "device": device,
    }
    sender.send(Kind.SUMMARY, json.dumps(summary).encode())


def _unusable(job: LoopJob) -> ranks.Failure | None:
    """Why the GPU cannot be used, described as a fault that is not the loop's. Sets torch up for it otherwise."""
    if job.device != "cuda":
        return None
    gpu.configure(job.precision, job.variables, repeatable=not job.is_timed)
    if job.processes > 1:
        return None  # each rank finds out by itself: CUDA does not survive the fork
    try:
        gpu.must_be_usable()
    except Exception as error:
        return _describe(error) | {"unsupported": True}
    return None


def _batches(job: LoopJob, train: Sequence[ampfix_task.Batch], sender: Sender) -> ampfix_task.Batches:
    if not job.is_timed:
        return ampfix_task.Batches(train, job.steps)

    def ready() -> None:
        if job.device == "cuda":
            torch.cuda.synchronize()  # what the warm-up queued is not part of the time
        sender.send(Kind.READY, b"")

    return GatedBatches(train, job.steps, Path(resolve(GATE)), ready)


class _EventStream:
    """Event lines, sent in batches so that a killed run leaves its beginning behind."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._lines: list[str] = []

    def add(self, event: Event) -> None:
        self._lines.append(json.dumps(to_json(event)))
        if len(self._lines) >= _EVENT_BATCH:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            self._sender.send(Kind.EVENTS, ("\n".join(self._lines) + "\n").encode())
            self._lines.clear()


@contextlib.contextmanager
def _device(job: LoopJob) -> Iterator[torch.device]:
    with contextlib.ExitStack() as stack:
        if job.device == "emulated":
            stack.enter_context(cuda(job.profile))
        elif job.processes > 1:
            stack.enter_context(gloo_for_nccl())  # NCCL refuses two ranks on one GPU
        if job.precision != "as_written":
            stack.enter_context(force_fp32())
        yield torch.device("cuda")


def _attempt(job: LoopJob, task: ampfix_task.Task) -> ranks.Failure:
    """Run the loop; how it failed, empty where it did not."""
    try:
        _run_entry(job, task)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the submission's doing too
        _print(error)
        return _describe(error)
    return {}


def _run_entry(job: LoopJob, task: ampfix_task.Task) -> None:
    path = Path(resolve(ANSWER)) / job.entry
    ampfix_task.task = task
    sys.path.insert(0, str(path.parent))
    sys.argv = [str(path)]
    _RUN[job.style](path, task)


def _run_function(path: Path, task: ampfix_task.Task) -> None:
    load_module(path.stem, path).train(task)


def _run_script(path: Path, _task: ampfix_task.Task) -> None:
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            raise


def _run_package(path: Path, task: ampfix_task.Task) -> None:
    root = Path(resolve(ANSWER))
    sys.path.insert(0, str(root))
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    importlib.import_module(name).train(task)


_RUN: dict[str, Callable[[Path, ampfix_task.Task], None]] = {
    "function": _run_function,
    "script": _run_script,
    "package": _run_package,
}


def _describe(error: BaseException) -> dict[str, Any]:
    root = resolve(ANSWER)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)]
    place = f"{Path(frames[-1].filename).relative_to(root)}:{frames[-1].lineno}" if frames else ""
    return {
        "type": type(error).__name__,
        "message": " ".join(str(error).split())[:_MESSAGE_CHARACTERS],
        "place": place,
        "unsupported": active_profile() is not None and unsupported_reason(error) is not None,
        "at": time.monotonic(),
    }


def _print(error: BaseException) -> None:
    """What an interpreter would print, from the submission's first frame on."""
    root = resolve(ANSWER)
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(root):
        frame = frame.tb_next
    with contextlib.suppress(Exception):  # whatever stderr is by now
        traceback.print_exception(type(error), error, frame)
