"""Analyses many files, on several processors where there is enough to do."""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from ampfix.lint.checked import Checked
from ampfix.lint.jobs import Job
from ampfix.lint.memory import collector_paused
from ampfix.lint.prefilter import is_worth_checking
from ampfix.lint.read import MAX_BYTES, UnreadableError, digest, read_bytes
from ampfix.lint.settings import Settings
from ampfix.records import dataclass, field, replace

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from ampfix.lint.project import Project

# A worker starts in 0.03 s by fork and 0.3 s by spawn; files that mention AMP are analysed at about 0.5 MB/s.
WORTH_BYTES = 400_000
MANY = 500  # files; among so many there is as a rule enough to do, so that workers read them as well
_SHARE = (
    8  # a chunk is a worker's share of this part of what is left: the last ones are small, so that all end together
)


@dataclass(frozen=True)
class Outcome:
    """What was found in the file whose bytes have this digest, or why nothing could be looked for. passed: no rule
    looks at it."""

    digest: str = ""
    checked: Checked = field(default_factory=Checked)
    error: str = ""
    passed: bool = False


PASSED = Outcome(passed=True)


class Workshop:
    """What the files that one process checks share: the files around them, loaded with the first that is analysed."""

    def __init__(self) -> None:
        self._project: Project | None = None

    @property
    def project(self) -> Project:
        if self._project is None:
            from ampfix.lint.project import Project

            self._project = Project()
        return self._project


def check_job(job: Job, workshop: Workshop) -> Outcome:
    """Read one file, and analyse it where a rule may look at it."""
    try:
        data = read_bytes(job.path)
        is_worth = is_worth_checking(data, job.path, job.settings)
        checked = check_one(data, job.path, job.settings, workshop.project) if is_worth else Checked()
        if job.named and not checked.findings:
            _require_syntax(data, job.path)
        return Outcome(digest(data), checked) if is_worth else PASSED
    except UnreadableError as error:
        return Outcome(error=str(error))


def _require_syntax(data: bytes, path: str) -> None:
    from ampfix.lint.document import open_document, require_syntax

    if len(data) <= MAX_BYTES:
        require_syntax(open_document(data, path))


def check_data(data: bytes, path: str, settings: Settings) -> Checked:
    """Check bytes that do not lie in a file; findings are told at their places in them. Raises UnreadableError."""
    if not is_worth_checking(data, path, settings):
        return Checked()
    return check_one(data, path, settings, Workshop().project)


def check_one(data: bytes, path: str, settings: Settings, project: Project) -> Checked:
    """Analyse one file's bytes; findings are told at their places in the file. Raises UnreadableError."""
    from ampfix.lint.document import check_document, located, open_document

    document = open_document(data, path)
    checked = check_document(document, path, settings, project)
    return Checked(tuple(located(finding, document) for finding in checked.findings), checked.depends)


def check_jobs(jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """An outcome for each job, in their order. The same whatever the number of processes."""
    if processes > 1 and len(jobs) < MANY:
        jobs = [replace(job, size=_work(job)) for job in jobs]
    if processes < 2 or len(jobs) < 2 or (len(jobs) < MANY and sum(job.size for job in jobs) < WORTH_BYTES):
        yield from _check_alone(jobs)
        return
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

    _prepare(jobs[0].settings)
    left = deque(_chunks(jobs, processes))
    try:
        ranges = _ranges(left)
        with ProcessPoolExecutor(min(processes, len(left)), _context(), _hand_out, (jobs,)) as pool:
            for outcomes in pool.map(_check_range, ranges):
                left.popleft()
                yield from (outcome or PASSED for outcome in outcomes)
    except BrokenExecutor:  # a worker was killed, most often for want of memory; one process needs less
        yield from _check_alone([job for chunk in left for job in chunk])


def _work(job: Job) -> int:
    """The bytes to analyse."""
    try:
        data = read_bytes(job.path)
    except UnreadableError:
        return 0
    return len(data) if is_worth_checking(data, job.path, job.settings) else 0


def _prepare(settings: Settings) -> None:
    """Load what workers that are forked will need, once for all."""
    from ampfix.lint import engine, project  # noqa: F401

    for rule in settings.rules():
        rule.load()


def _check_alone(jobs: Sequence[Job]) -> Iterator[Outcome]:
    workshop = Workshop()
    with collector_paused():
        for job in jobs:
            yield check_job(job, workshop)


def _context() -> BaseContext:
    """Fork copies what is loaded in no time. It is safe only where no other thread runs, and not offered everywhere."""
    import multiprocessing

    forks = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if forks else "spawn")


def _chunks(jobs: Sequence[Job], processes: int) -> Iterator[list[Job]]:
    """Neighbours stay together, since they import one another; the less work is left, the smaller the chunks."""
    left = sum(job.size for job in jobs)
    chunk: list[Job] = []
    filled = 0
    for job in jobs:
        chunk.append(job)
        filled += job.size
        if filled * processes * _SHARE >= left:
            yield chunk
            left -= filled
            chunk, filled = [], 0
    if chunk:
        yield chunk


def _ranges(chunks: Iterable[Sequence[Job]]) -> list[range]:
    """Where each chunk lies among all jobs."""
    ends = list(accumulate(map(len, chunks)))
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


# Of a worker; a process that starts workers checks nothing by them. Jobs come with its start, by fork for nothing: the
# settings they share are then the same object in all chunks.
_workshop = Workshop()
_jobs: list[Job] = []


def _hand_out(jobs: Sequence[Job]) -> None:
    _jobs[:] = jobs
    gc.freeze()  # what a worker inherits lives as long as it does, and need not be looked at


def _check_range(part: range) -> list[Outcome | None]:
    return _check_chunk(_jobs[part.start : part.stop])


def _check_chunk(jobs: list[Job]) -> list[Outcome | None]:
    """None stands for the many files that no rule looks at: they need not be told apart on their way back."""
    with collector_paused():
        outcomes = (check_job(job, _workshop) for job in jobs)
        return [None if outcome is PASSED else outcome for outcome in outcomes]
