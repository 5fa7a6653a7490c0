"""What a scenario's task.py and a submitted loop see: the data, the task, and for scripts the task of this run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

Batch = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Data:
    """train: batches in the order they are served. heldout: batches that only the judge sees. All on the CPU."""

    train: list[Batch]
    heldout: list[Batch]


class Batches:
    """`steps` batches each time it is iterated, starting over where the training data end."""

    def __init__(self, train: Sequence[Batch], steps: int) -> None:
        self._train = train
        self._steps = steps
        self.served = 0

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        for index in range(self._steps):
            self.served += 1
            # A copy, so that an in-place edit of a batch does not reach the next time it is served.
            yield tuple(tensor.clone() for tensor in self._train[index % len(self._train)])


@dataclass
class Task:
    """What a loop trains. Whatever `modules` holds when the loop returns is judged.

    modules: by name, as task.py's build() returned them, on the CPU, float32.
    batches: re-iterable; len(batches) == steps. CPU tensors. Of several ranks each has its own share.
    device: where to train. workdir: a scratch folder of this run.
    """

    modules: dict[str, nn.Module]
    batches: Iterable[Batch]
    device: torch.device
    steps: int
    workdir: Path = field(default_factory=Path)


task: Task
"""The task of this run; script-style loops import it. Set before the loop starts."""
