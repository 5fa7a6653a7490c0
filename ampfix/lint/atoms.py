"""The undecided tests of one step program as bits, and from where on each of them no longer matters.

What a path assumed is dropped behind the last test that could ask for it, so that paths meet again.
"""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.lint.prune import every_node, parts, prefixes
from ampfix.program import AllOf, AnyOf, Atom, Block, Branch, Condition, Loop, Node, Not, Protected


class Atoms:
    """Numbers the atoms of a block."""

    def __init__(self, block: Block) -> None:
        self._bits: dict[Atom, int] = {}
        self._concerned: dict[str, int] = {}
        self._live: dict[int, int] = {}
        self._used: dict[int, int] = {}  # by identity: the block is held by whoever asks
        for node in every_node(block):
            for atom in _atoms(node.condition) if isinstance(node, Branch) else ():
                self._bits.setdefault(atom, 1 << len(self._bits))
        for atom, bit in self._bits.items():
            for name in {prefix for used in atom.names for prefix in prefixes(used)}:
                self._concerned[name] = self._concerned.get(name, 0) | bit
        self._mark(block, 0)

    def bit(self, atom: Atom) -> int:
        """The atom's bit; 0 where no test asks for it."""
        return self._bits.get(atom, 0)

    def concerned(self, names: tuple[str, ...]) -> int:
        """The atoms that say something about any of these names."""
        mask = 0
        for name in names:
            mask |= self._concerned.get(name, 0)
        return mask

    def used(self, condition: Condition) -> int:
        """The atoms that a condition asks for."""
        mask = self._used.get(id(condition))
        if mask is None:
            mask = 0
            for atom in _atoms(condition):
                mask |= self.bit(atom)
            self._used[id(condition)] = mask
        return mask

    def live_after(self, node: Node) -> int:
        """The atoms that may be asked for once the node is done."""
        return self._live[id(node)]

    def _mark(self, block: Block, live: int) -> int:
        """Note what is live behind each node of a block, given what is behind all of it; what is live before it."""
        for node in reversed(block):
            # One block may stand in several places.
            self._live[id(node)] = self._live.get(id(node), 0) | live
            if isinstance(node, Branch):
                live |= self.used(node.condition) | self._mark(node.then, live) | self._mark(node.orelse, live)
            elif isinstance(node, (Loop, Protected)):  # any part may run before any other
                live |= self._all_used(node)
                for part in parts(node):
                    self._mark(part, live)
            else:
                for part in parts(node):
                    live |= self._mark(part, live)
        return live

    def _all_used(self, node: Node) -> int:
        mask = 0
        for part in parts(node):
            for inner in every_node(part):
                if isinstance(inner, Branch):
                    mask |= self.used(inner.condition)
        return mask


def _atoms(condition: Condition) -> Iterator[Atom]:
    if isinstance(condition, Atom):
        yield condition
    elif isinstance(condition, Not):
        yield from _atoms(condition.operand)
    elif isinstance(condition, (AllOf, AnyOf)):
        for operand in condition.operands:
            yield from _atoms(operand)
