"""Time of a run's steps by the supervisor's clock, which a submission cannot set forward.

The batches behind the warm-up are withheld. When the loop asks for the first of them it says READY; the supervisor
puts them into a folder that the jail sees, and its clock runs from there until the first byte of the weights arrives.
No step on a withheld batch can begin earlier, and none that shaped the weights can end later.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from graders import tensors
from graders.ampfix_task import Batch, Batches
from graders.exchange import Kind

GATE, REST = "/gate", "rest.safetensors"
"""Where the jail shows the folder, and the file that appears in it."""

_POLL_S = 0.0002
_PATIENCE_S = 60.0


class Stopwatch:
    """The supervisor's side: told of each frame as it begins.

    withheld: the file of the batches. folder: where it is put; on the same file system.
    """

    def __init__(self, withheld: Path, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._withheld, self._folder, self._clock = withheld, folder, clock
        self._released: float | None = None
        self._arrived: float | None = None

    def release_early(self) -> None:
        """Put the batches there before the run: where the jail shows copies, nothing can appear later."""
        os.link(self._withheld, self._folder / REST)

    def on_frame(self, kind: Kind) -> None:
        if kind is Kind.READY and self._released is None:
            if not (self._folder / REST).exists():
                self.release_early()
            self._released = self._clock()
        elif kind is Kind.WEIGHTS and self._arrived is None:
            self._arrived = self._clock()

    @property
    def timed_s(self) -> float | None:
        """Seconds from the release to the weights; None where one of the two did not happen."""
        if self._released is None or self._arrived is None:
            return None
        return self._arrived - self._released


class GatedBatches(Batches):
    """The loop's side: `warm_up` batches, then those behind the gate. ready: says so to the supervisor."""

    def __init__(self, train: Sequence[Batch], steps: int, gate: Path, ready: Callable[[], None]) -> None:
        super().__init__(train, steps)
        self._gate, self._ready = gate, ready
        self._warm_up = len(train)

    def __iter__(self) -> Iterator[Batch]:
        # The base class looks its list up by index, step for step: what is appended before a step is served in it.
        for batch in super().__iter__():
            yield batch
            if self.served == self._warm_up:
                self._train = [*self._train, *self._behind_the_gate()]

    def _behind_the_gate(self) -> list[Batch]:
        self._ready()
        path = self._gate / REST
        deadline = time.monotonic() + _PATIENCE_S
        while not path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("the batches behind the warm-up did not come")
            time.sleep(_POLL_S)
        return tensors.read_batches(path)
