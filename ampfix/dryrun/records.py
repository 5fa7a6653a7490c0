"""What a dry run tells of a program: its events, in order."""

from __future__ import annotations

from typing import Any

from ampfix.dryrun.values import Region, Test, Thing, Value
from ampfix.records import dataclass, field


@dataclass(frozen=True)
class Place:
    """A node of a file. Compared by its position. function: the one it stands in, None at the top of a file."""

    path: str
    line: int
    column: int
    node: Any = field(default=None, compare=False)
    function: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Event:
    """Something that happens to a thing.

    kind: "forward", "method" (one of the project), "backward", "scale", "unscale", "step", "optimizer step",
    "update", "clip", "saved", "restored", "handed". subject: the model, optimizer, scaler or tensor. others: what else
    takes part: the optimizer that a scaler steps, the states that a checkpoint holds. stack: the calls that lead there,
    outermost first, then the place itself. assumed: the answers that lead there. region: the autocast region around
    it. grad: whether gradients are recorded. whole: whether all of what takes part was seen. made: what stands, among
    its owners, for all that a forward without gradients returns. states: what is saved of each of the others: its
    state, or itself.
    """

    kind: str
    subject: Value
    others: tuple[Value, ...]
    stack: tuple[Place, ...]
    assumed: tuple[tuple[Test, bool], ...]
    region: Region | None = None
    grad: bool = True
    training: Value | None = None
    whole: bool = True
    file: str = ""
    made: Thing | None = None
    states: tuple[Value, ...] = ()

    @property
    def place(self) -> Place:
        return self.stack[-1]

    def may_meet(self, other: Event) -> bool:
        """Whether both may happen in one run of the program."""
        answers = dict(self.assumed)
        return all(answers.get(test, holds) is holds for test, holds in other.assumed)
