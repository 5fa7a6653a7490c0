"""Events under conditions, loops and calls, and the violations found among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from ampfix.findings import Span
from ampfix.program.bindings import Role
from ampfix.protocol import Broken, Event
from ampfix.records import dataclass, field

# Conditions. An atom is decided once on a path, until one of the names in it is assigned.


@dataclass(frozen=True)
class Atom:
    """An undecided test. `x is not None` and `x` are the same atom: presence."""

    text: str
    names: frozenset[str]


@dataclass(frozen=True)
class Not:
    operand: Condition


@dataclass(frozen=True)
class AllOf:
    operands: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    operands: tuple[Condition, ...]


@dataclass(frozen=True)
class Always:
    value: bool


Condition = Atom | Not | AllOf | AnyOf | Always


@dataclass(frozen=True)
class Site:
    """Where an event happens and how that place is reached.

    span: the expression. statement: the statement around it. tests: source text of the tests around it inside its
    function, outermost first ("not (...)" on the else side). loops: the lines of the loops around it, across calls;
    below zero in other files. names: canonical name -> how this function writes it. caller: the call that led here.
    proven: no name was guessed. path: the file it lies in. origin: of an event in another file, its own place; the
    site is then the call that leads there from the checked file.
    """

    span: Span
    statement: Span
    function: str
    tests: tuple[str, ...] = ()
    loops: tuple[int, ...] = ()
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False, hash=False)
    caller: Site | None = None
    proven: bool = True
    path: str = ""
    origin: Site | None = field(default=None, compare=False)

    def frames(self) -> Iterator[Site]:
        """This site, then the call that led here, and so on outwards, as far as they lie in the same file."""
        return (site for site in self.way() if site.path == self.path)

    def way(self) -> Iterator[Site]:
        """This site, then the call that led here, and so on outwards, through all files."""
        site: Site | None = self
        while site is not None:
            yield site
            site = site.caller


@dataclass(frozen=True)
class Do:
    """One event. subject: of a backward, the variable that holds the loss; of a clip, and of a zero_grad that names no
    optimizer, whose parameters they are."""

    event: Event
    site: Site
    subject: str = ""


@dataclass(frozen=True)
class Branch:
    condition: Condition
    then: Block
    orelse: Block


@dataclass(frozen=True)
class Loop:
    """A loop; `targets` are assigned at the start of each turn. endless: it ends by break, return or raise alone."""

    body: Block
    orelse: Block
    targets: tuple[str, ...] = ()
    endless: bool = False


@dataclass(frozen=True)
class Protected:
    """try/except/else/finally, and `with` (whose exit is the final block)."""

    body: Block
    handlers: tuple[Block, ...] = ()
    orelse: Block = ()
    final: Block = ()


@dataclass(frozen=True)
class Call:
    """A call into this file, inlined: `return` inside ends it."""

    body: Block


class JumpKind(str, Enum):
    BREAK = "break"
    CONTINUE = "continue"
    RETURN = "return"
    RAISE = "raise"


@dataclass(frozen=True)
class Jump:
    kind: JumpKind


@dataclass(frozen=True)
class Assign:
    """Names change: what was assumed about them is forgotten, except what `value` (truth or presence) tells.

    scaled_by: the names now hold a loss scaled by this scaler. sources: they are computed from these names.
    """

    names: tuple[str, ...]
    value: bool | None = None
    scaled_by: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opaque:
    """Code outside this file that may have touched gradients: those of the optimizers it was handed (none: of all).

    certain: it was handed a scaler or an optimizer, so nothing is known afterwards. Otherwise (an inherited method)
    what follows is a guess.
    """

    optimizers: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True)
class Fresh:
    """An optimizer, a scaler or an object that keeps optimizers is built here: nothing has happened to it."""

    name: str
    role: Role


Node = Do | Branch | Loop | Protected | Call | Jump | Assign | Opaque | Fresh
Block = tuple[Node, ...]


@dataclass(frozen=True)
class Routine:
    """One analysed function, method, or module body. events: all of them in source order, whatever the path.

    owners: optimizer -> whose parameters it updates. unclear: scalers that a switch which is not seen
    may disable.
    """

    name: str
    body: Block
    events: tuple[Do, ...] = ()
    owners: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    unclear: frozenset[str] = frozenset()
    node: Any = field(default=None, compare=False, hash=False)


@dataclass(frozen=True)
class Occurrence:
    """A violation on some path of a routine.

    before: the events on that path, oldest first. after: those that follow anywhere in the routine. proven: every name
    involved is bound to what it seems to be. unscale: of a clip, an `unscale_` of the same gradients that runs behind
    it, or before it on other paths; a second one beside it would raise.
    """

    broken: Broken
    do: Do
    routine: Routine
    before: tuple[Do, ...]
    after: tuple[Do, ...]
    proven: bool
    unscale: Do | None = None
