"""Jobs on a Ray cluster: whole GPUs for timed runs, nodes may go, and nothing is lost or counted twice.

Every node needs ampfix with its `run` extra and the same scenarios under the same path. Results come back to the
driver, which keeps them by content: a run that goes on later, on whatever cluster, runs only what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import ray

from ampfix.agents.executors import Executor, ExecutorError, Job, LocalExecutor, Loop
from ampfix.lab.assembly import unjudged
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import load
from ampfix.lab.verdict import Verdict

LOOPS_PER_TASK = 8
"""What a lost node loses at most, while a task still shares its scenario's reference among several loops."""

_RETRIES = 5
_AHEAD = 2  # tasks queued for each one that runs


class RayExecutor(Executor):
    """address: of a running cluster; None starts one on this machine. device: "cpu" or "cuda"."""

    def __init__(self, address: str | None = None, device: str = "cpu") -> None:
        self.device, self.policy = device, "cuda" if device == "cpu" else "native"
        self._owns = not ray.is_initialized()
        if self._owns:
            try:
                ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False)
            except ConnectionError as error:
                raise ExecutorError(f"no Ray cluster at {address}: {error}") from error
        wanted: dict[str, Any] = {"num_gpus": 1, "num_cpus": 1} if device == "cuda" else {"num_cpus": 1}
        self._slots = _slots(wanted)
        self._task = ray.remote(max_retries=_RETRIES, retry_exceptions=False, **wanted)(_run)
        self._versions: dict[str, str] | None = None

    def conditions(self) -> dict[str, str]:
        if self._versions is None:
            found: dict[str, str] = ray.get(ray.remote(num_cpus=0)(_conditions).remote(self.device))
            self._versions = found
        return dict(self._versions)

    def run(self, job: Job) -> Iterator[tuple[str, Verdict]]:
        yield from self.run_ahead(iter([job]))

    def run_ahead(self, jobs: Iterator[Job]) -> Iterator[tuple[str, Verdict]]:
        parts = (part for job in jobs for part in _parts(job))
        running = {self._submit(part): part for part in islice(parts, _AHEAD * self._slots)}
        while running:
            finished, _ = ray.wait(list(running), num_returns=1)
            for each in finished:
                yield from self._results(each, running.pop(each))
            running |= {self._submit(part): part for part in islice(parts, len(finished))}

    def _results(self, task: Any, job: Job) -> Iterator[tuple[str, Verdict]]:
        """What a task gave. One that was lost too often is a fault of ours; raises ExecutorError for what no other
        try can mend."""
        try:
            found: list[tuple[str, str]] = ray.get(task)
        except ray.exceptions.RayTaskError as error:
            raise ExecutorError(" ".join(str(error.cause or error).split())[-400:]) from error
        except ray.exceptions.RayError as error:
            detail = f"{type(error).__name__} on the cluster, {_RETRIES} times over"
            for loop in job.loops:
                yield loop.key, unjudged(Path(job.scenario).name, "", "server_died", detail, self.device, self.policy)
            return
        for key, text in found:
            yield key, Verdict.model_validate_json(text)

    def close(self) -> None:
        if self._owns and ray.is_initialized():
            ray.shutdown()

    def _submit(self, job: Job) -> Any:
        return self._task.remote(job.model_dump_json(), self.device)


def _slots(wanted: dict[str, Any]) -> int:
    """How many tasks the cluster runs at once. A task that no node can hold would wait for ever."""
    cluster: Any = ray
    held: dict[str, float] = cluster.cluster_resources()
    for name, resource in (("num_gpus", "GPU"), ("num_cpus", "CPU")):
        if held.get(resource, 0.0) < wanted.get(name, 0):
            raise ExecutorError(f"the cluster has no {resource}: add a node that has one, or choose another --device")
    return max(1, int(held["GPU"] if "num_gpus" in wanted else held["CPU"]))


def _parts(job: Job) -> Iterator[Job]:
    for start in range(0, len(job.loops), LOOPS_PER_TASK):
        loops: tuple[Loop, ...] = job.loops[start : start + LOOPS_PER_TASK]
        yield job.model_copy(update={"loops": loops})


# ---- in the workers ------------------------------------------------------------------------------------------

_executors: dict[str, LocalExecutor] = {}
"""One for each device and worker process: servers stay warm between tasks, and end with the worker."""


def _executor(device: str) -> LocalExecutor:
    if device not in _executors:
        _executors[device] = LocalExecutor(lambda: ProcessRunner(device))
    return _executors[device]


def _conditions(device: str) -> dict[str, str]:
    return _executor(device).conditions()


def _run(text: str, device: str) -> list[tuple[str, str]]:
    """(key, verdict as JSON) of each loop. Raises RuntimeError where this node's scenario is another one."""
    job = Job.model_validate_json(text)
    if load(Path(job.scenario)).content_hash != job.content:
        raise RuntimeError(f"{job.scenario} is another version on this node: install the same ampfix on all")
    return [(key, verdict.to_json(indent=None)) for key, verdict in _executor(device).run(job)]
