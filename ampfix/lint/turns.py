"""The turns of loops on the paths of a step program: which of them show what none did before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ampfix.lint.paths import Path, distinct, future
from ampfix.lint.prune import every_node
from ampfix.program import Block, Loop, Protected


class Turns:
    """Keeps which paths began a turn of which loop, each by the turns (as bits) in which the loops around were."""

    def __init__(self, block: Block) -> None:
        self._apart = _in_several_places(block)
        self._begun: dict[int, dict[object, list[int]]] = {}  # by identity: the block is held by whoever asks
        self._depth = self._further = 0

    @contextmanager
    def inside(self, turn: int) -> Iterator[None]:
        """While a turn of a loop runs: its first (0), or another one."""
        depth, further = self._depth, self._further
        self._depth, self._further = depth + 1, further | (1 << depth if turn else 0)
        yield
        self._depth, self._further = depth, further

    def fresh(self, loop: Loop, paths: list[Path]) -> list[Path]:
        """The paths that begin this turn as none did with as many turns to come, of this loop and those around it.
        What the others lead to is known."""
        paths = distinct(paths)
        if id(loop) in self._apart:
            return paths
        begun = self._begun.setdefault(id(loop), {})
        return [path for path in paths if self._is_new(begun.setdefault(future(path), []))]

    def _is_new(self, begun: list[int]) -> bool:
        if any(earlier & ~self._further == 0 for earlier in begun):
            return False
        begun.append(self._further)
        return True


def _in_several_places(block: Block) -> frozenset[int]:
    """The loops (by identity) with more than one thing behind them: a final block runs however the rest was left."""
    nodes = list(every_node(block))
    finals = (node.final for node in nodes if isinstance(node, Protected))
    final = {id(node) for part in finals for node in every_node(part) if isinstance(node, Loop)}
    places = Counter(id(node) for node in nodes if isinstance(node, Loop))
    return frozenset(final | {loop for loop, count in places.items() if count > 1})
