"""Analyses many files, on several processors where there is enough to do."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ampfix.lint.checked import Checked
from ampfix.lint.document import check_document, located, open_document
from ampfix.lint.jobs import Job
from ampfix.lint.project import Project
from ampfix.lint.read import UnreadableError, read_bytes
from ampfix.lint.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

# A worker starts in 0.03 s by fork and 0.3 s by spawn; files that mention AMP are analysed at about 0.5 MB/s.
WORTH_BYTES = 400_000
_CHUNKS_PER_WORKER = 8


@dataclass(frozen=True)
class Outcome:
    """What was found in the file read as `data`, or why nothing could be looked for."""

    data: bytes = b""
    checked: Checked = field(default_factory=Checked)
    error: str = ""


def check_job(job: Job, project: Project) -> Outcome:
    """Read and analyse one file."""
    try:
        data = read_bytes(Path(job.path))
        return Outcome(data, check_one(data, job.path, job.settings, project))
    except UnreadableError as error:
        return Outcome(error=str(error))


def check_one(data: bytes, path: str, settings: Settings, project: Project) -> Checked:
    """Analyse one file's bytes; findings are told at their places in the file. Raises UnreadableError."""
    document = open_document(data, path)
    checked = check_document(document, path, settings, project)
    return Checked(tuple(located(finding, document) for finding in checked.findings), checked.depends)


def check_jobs(jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """An outcome for each job, in their order. The same whatever the number of processes."""
    if processes < 2 or len(jobs) < 2 or sum(job.size for job in jobs) < WORTH_BYTES:
        yield from _check_alone(jobs)
        return
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

    left = deque(_chunks(jobs, processes * _CHUNKS_PER_WORKER))
    try:
        with ProcessPoolExecutor(min(processes, len(left)), _context()) as pool:
            for outcomes in pool.map(_check_chunk, tuple(left)):
                left.popleft()
                yield from outcomes
    except BrokenExecutor:  # a worker was killed, most often for want of memory; one process needs less
        yield from _check_alone([job for chunk in left for job in chunk])


def _check_alone(jobs: Sequence[Job]) -> Iterator[Outcome]:
    project = Project()
    for job in jobs:
        yield check_job(job, project)


def _context() -> BaseContext:
    """Fork copies what is loaded in no time. It is safe only where no other thread runs, and not offered everywhere."""
    import multiprocessing

    forks = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if forks else "spawn")


def _chunks(jobs: Sequence[Job], count: int) -> Iterator[list[Job]]:
    """Neighbours stay together, since they import one another; chunks hold about the same number of bytes."""
    target = sum(job.size for job in jobs) / count
    chunk: list[Job] = []
    filled = 0
    for job in jobs:
        chunk.append(job)
        filled += job.size
        if filled >= target:
            yield chunk
            chunk, filled = [], 0
    if chunk:
        yield chunk


_project: Project | None = None


def _check_chunk(jobs: list[Job]) -> list[Outcome]:
    global _project
    _project = _project or Project()
    return [check_job(job, _project) for job in jobs]
