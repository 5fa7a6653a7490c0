"""Where jobs run. A job is one scenario's loops on one secret; what it gives back are verdicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from ampfix.lab.assembly import versions
from ampfix.lab.bench import Bench
from ampfix.lab.causes import InfraError
from ampfix.lab.grade import grade_loops
from ampfix.lab.models import Model
from ampfix.lab.runner import Runner
from ampfix.lab.session import Session
from ampfix.lab.spec import load
from ampfix.lab.verdict import Verdict


class Loop(Model):
    """key: under which its verdict is stored. files: text by path."""

    key: str
    files: dict[str, str]


class Job(Model):
    """scenario: its folder. content: its hash, so that a worker with other scenarios says so."""

    scenario: str
    content: str
    secret: str
    loops: tuple[Loop, ...]


class ExecutorError(RuntimeError):
    """What jobs should run on cannot do what is asked; the message is one line."""


class Executor(ABC):
    """Runs jobs. A verdict may come in any order; a fault of ours is a verdict of its own, infra_error."""

    device: str
    policy: str

    @abstractmethod
    def conditions(self) -> dict[str, str]:
        """All that a verdict depends on besides scenario, secret and loop."""

    @abstractmethod
    def run(self, job: Job) -> Iterator[tuple[str, Verdict]]:
        """The verdict on each loop of a job, by its key."""

    def run_ahead(self, jobs: Iterator[Job]) -> Iterator[tuple[str, Verdict]]:
        """Run many jobs at once, in any order, before they are asked for one by one. Here: none of them."""
        del jobs
        yield from ()

    @abstractmethod
    def close(self) -> None:
        """End what was started."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalExecutor(Executor):
    """Runs jobs one after the other with a runner on this machine. Jobs of one scenario in a row share its bench."""

    def __init__(self, new_runner: Callable[[], Runner]) -> None:
        self._runner = new_runner()
        self.device, self.policy = self._runner.device, self._runner.policy
        self._bench: Bench | None = None
        self._scenario: tuple[str, str] | None = None

    def conditions(self) -> dict[str, str]:
        with suppress(InfraError):  # told by the verdict of whatever is run
            self._runner.settle()
        return {"device": self.device, "policy": self.policy, **versions(), **self._runner.versions()}

    def run(self, job: Job) -> Iterator[tuple[str, Verdict]]:
        spec = load(Path(job.scenario))
        if self._bench is None or self._scenario != (job.scenario, job.secret):
            self._close_bench()
            self._bench, self._scenario = Bench(self._runner), (job.scenario, job.secret)
        session = Session(self._bench, spec, job.secret)
        verdicts = grade_loops(session, [(loop.key, loop.files) for loop in job.loops])
        for loop, verdict in zip(job.loops, verdicts, strict=True):
            yield loop.key, verdict

    def close(self) -> None:
        self._close_bench()
        self._runner.close()

    def _close_bench(self) -> None:
        if self._bench is not None:
            self._bench.__exit__(None, None, None)
        self._bench = None
