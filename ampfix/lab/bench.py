"""Runs loops on seeds, several at a time, and measures them. Each seed's inputs and fp32 reference are shared."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ampfix.lab.causes import InfraError
from ampfix.lab.measurement import Measurement, measure
from ampfix.lab.runner import Execution, Inputs, Precision, Runner
from ampfix.lab.scratch import is_full, scratch_folder
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import sha256_of

T = TypeVar("T")
Files = Mapping[str, str]
"""A loop's files: text by path."""
Progress = Callable[[int, int], None]
"""Told after each run how many are done, and how many were asked for so far."""


@dataclass(frozen=True)
class Ground:
    """What every run on one seed is compared with. run: the folder of the reference's weights and snapshot."""

    inputs: Inputs
    run: Path
    reference: Measurement


class Bench:
    """A runner with a queue. Jobs start in the order they were submitted, `workers` at a time."""

    def __init__(self, runner: Runner, workers: int | None = None, on_progress: Progress | None = None) -> None:
        self.runner = runner
        self._on_progress = on_progress
        self._done = 0
        self._pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="bench")
        self._scratch = scratch_folder()
        self._folder = self._scratch.__enter__()
        self._names = itertools.count()
        self._lock = threading.RLock()  # a run that is done already tells its progress at once
        self._grounds: dict[tuple[str, int], Future[Ground]] = {}
        self._runs: dict[tuple[str, int, Precision, str], Future[Measurement]] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.runner.close()  # or the pool would wait for jobs that nobody wants any more
        self._pool.shutdown(cancel_futures=True)
        self._scratch.__exit__(None, None, None)

    def ground(self, spec: ScenarioSpec, seed: int) -> Future[Ground]:
        """Inputs and reference of one seed, made once."""
        key = (_key(spec), seed)
        with self._lock:
            if key not in self._grounds:
                self._grounds[key] = self._pool.submit(_retried, lambda: self._make_ground(spec, seed))
            return self._grounds[key]

    def run(
        self, spec: ScenarioSpec, files: Files, seed: int, precision: Precision = "as_written"
    ) -> Future[Measurement]:
        """Run a loop on one seed and measure it, once however often it is asked for: one thread is bit-identical.

        The future raises InfraError for a fault of the lab's own.
        """
        ground = self.ground(spec, seed)  # queued first, so that a waiting job never holds back what it waits for
        key = (_key(spec), seed, precision, sha256_of(files))
        with self._lock:
            if key not in self._runs:
                self._runs[key] = self._pool.submit(_retried, lambda: self._measure(spec, files, ground, precision))
                self._runs[key].add_done_callback(self._tell)
            return self._runs[key]

    def forget(self, files: Files) -> None:
        """Drop what is known of a loop that is judged: asked for again, it would be run again."""
        name = sha256_of(files)
        with self._lock:
            for key in [key for key, run in self._runs.items() if key[-1] == name and run.done()]:
                del self._runs[key]

    def _tell(self, run: Future[Measurement]) -> None:
        if self._on_progress is not None and not run.cancelled():
            with self._lock:
                self._done += 1
                self._on_progress(self._done, len(self._runs))

    def _make_ground(self, spec: ScenarioSpec, seed: int) -> Ground:
        inputs = self.runner.prepare(spec, seed, self._fresh())
        execution = self._execute(spec, spec.gold_files(), inputs, "fp32")
        reference = measure(self.runner, spec, inputs, execution, None)
        for problem in (reference.ended, reference.weights):
            if problem is not None:
                raise InfraError("reference_failed", f"{spec.id}: {problem.cause}: {problem.detail}")
        return Ground(inputs, execution.folder, reference)

    def _measure(self, spec: ScenarioSpec, files: Files, ground: Future[Ground], precision: Precision) -> Measurement:
        base = ground.result()
        execution = self._execute(spec, files, base.inputs, precision)
        try:
            return measure(self.runner, spec, base.inputs, execution, base.run)
        finally:
            shutil.rmtree(execution.folder, ignore_errors=True)

    def _execute(self, spec: ScenarioSpec, files: Files, inputs: Inputs, precision: Precision) -> Execution:
        folder = self._fresh()
        write_files(folder, files)
        try:
            return self.runner.execute(spec, folder, inputs, self._fresh(), precision)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fresh(self) -> Path:
        """A path below the bench's own folder that nothing else uses; it does not exist yet."""
        return self._folder / str(next(self._names))


def _key(spec: ScenarioSpec) -> str:
    return f"{spec.root}:{spec.content_hash}"


def write_files(folder: Path, files: Files) -> None:
    """Lay a loop's files out, readable by the user that the jail runs them as."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        path.chmod(0o644)
    for path in (folder, *(part for part in folder.rglob("*") if part.is_dir())):
        path.chmod(0o755)


def _retried(job: Callable[[], T]) -> T:
    """Do a job, and once more where a fault of the lab's own that may pass ended it."""
    try:
        return _with_room(job)
    except InfraError as error:
        if not error.cause.retry:
            raise
    return _with_room(job)


def _with_room(job: Callable[[], T]) -> T:
    try:
        return job()
    except OSError as error:
        if not is_full(error.errno):
            raise
        raise InfraError("no_space", f"{error.filename or 'a temporary file'}: {error.strerror}") from error
