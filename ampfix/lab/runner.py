"""What the lab asks of an engine: prepare a seed's inputs, execute a loop on them, judge what it left.

One implementation for each engine; nothing above this interface knows which one is at work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from ampfix.lab.gpu import Gpu
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.verdict import Isolation

Precision = Literal["as_written", "fp32", "tf32"]


@dataclass(frozen=True)
class Inputs:
    """One seed's data. shown: what the jail may see. hidden: held-out batches, for the judge alone.

    withheld: of a run that is timed, the file of the training batches behind the warm-up.
    """

    seed: int
    shown: Path
    hidden: Path
    withheld: Path | None = None


@dataclass(frozen=True)
class Execution:
    """How one run ended, and the folder of what arrived: events, snapshot, weights and summary, each perhaps missing.

    outcome: exited, killed_by_signal, timeout, output_overflow, refused, memory, cancelled or setup_failed.
    complete: the stream of results ended with a summary. output: the end of stdout and stderr, as it came.
    timed_s: of a run that is timed, seconds from the release of the withheld batches to the weights.
    """

    outcome: str
    exit_code: int | None
    detail: str
    complete: bool
    wall_s: float
    isolation: Isolation
    folder: Path
    output: str = ""
    timed_s: float | None = None


class Runner(ABC):
    """An engine; thread-safe. Every method raises InfraError for a fault of its own, never for the submission's."""

    device: str
    policy: str
    gpu: Gpu | None = None
    """The device that loops run on, None under emulation."""
    can_time: bool = False
    """Whether `prepare_timed` and `time_steps` give times that mean anything."""

    @abstractmethod
    def prepare(self, spec: ScenarioSpec, seed: int, folder: Path) -> Inputs:
        """Make one seed's inputs below `folder`."""

    @abstractmethod
    def execute(
        self, spec: ScenarioSpec, files: Path, inputs: Inputs, folder: Path, precision: Precision = "as_written"
    ) -> Execution:
        """Run the loop in `files` and gather what it leaves in `folder`."""

    def prepare_timed(self, spec: ScenarioSpec, seed: int, folder: Path, warm_up: int) -> Inputs:
        """`prepare` for runs that are timed from step `warm_up` on."""
        raise NotImplementedError

    def time_steps(
        self, spec: ScenarioSpec, files: Path, inputs: Inputs, folder: Path, precision: Precision
    ) -> Execution:
        """`execute` without the recorder; `timed_s` is the time of the steps behind the warm-up."""
        raise NotImplementedError

    @abstractmethod
    def judge(self, inputs: Inputs, run: Path, reference: Path | None) -> dict[str, Any]:
        """Measure a run's weights in a process that never met the submission; see graders/judge.py."""

    @abstractmethod
    def isolation(self) -> Isolation:
        """What holds a submission on this machine."""

    def settle(self) -> None:
        """Find out what `versions` tells, where that takes a job first."""
        return

    def versions(self) -> dict[str, str]:
        """What runs depend on, where it is not what this process itself has."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """End every process and leave nothing behind."""

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
