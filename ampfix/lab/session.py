"""One scenario on one secret: its seeds, and the runs on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ampfix.lab import witness
from ampfix.lab.bench import Bench, Files
from ampfix.lab.checks import Paired
from ampfix.lab.measurement import Measurement
from ampfix.lab.runner import Precision
from ampfix.lab.seeds import run_seed
from ampfix.lab.spec import ScenarioSpec

Runs = Sequence[Callable[[], Measurement]]
"""One loop on every seed of a session, in the seeds' order: each waits for its run. They raise InfraError."""


@dataclass(frozen=True)
class Session:
    """What every answer graded on one secret shares."""

    bench: Bench
    spec: ScenarioSpec
    secret: str

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run_seed(self.secret, self.spec.id, index) for index in self.spec.seeds)

    def reference(self) -> Runs:
        """Start the fp32 reference on every seed."""
        grounds = [self.bench.ground(self.spec, seed) for seed in self.seeds]
        return [lambda ground=ground: ground.result().reference for ground in grounds]  # type: ignore[misc]

    def run(self, files: Files, precision: Precision = "as_written") -> Runs:
        """Start a loop on every seed."""
        return [self.bench.run(self.spec, files, seed, precision).result for seed in self.seeds]

    def paired(self, answer: Runs, broken: Runs) -> Paired:
        """Wait for an answer's runs and pair them by seed. Raises InfraError."""
        return Paired(
            answer=[wait() for wait in answer],
            reference=[wait() for wait in self.reference()],
            broken=[wait() for wait in broken],
            codes=witness.codes_by_violation(self.spec.protocol_rules),
            device_class=self.bench.runner.gpu.device_class if self.bench.runner.gpu else "",
        )


def by_seed(runs: Paired) -> list[Paired]:
    """The same runs, one seed at a time."""
    return [
        replace(runs, answer=[answer], reference=[reference], broken=[broken])
        for answer, reference, broken in zip(runs.answer, runs.reference, runs.broken, strict=True)
    ]
