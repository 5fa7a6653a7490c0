"""The step program: what a piece of source does to gradients and scalers, under which conditions.

Types only. `ampfix.lint` builds these from an ast and interprets them; the rules read what comes out. Names inside
(scalers, optimizers, condition atoms) are canonical: an attribute path as the outermost analysed function would write
it, so that a helper's parameter and its caller's variable are one name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from ampfix.findings import Span
from ampfix.protocol import Broken, Event


class Role(str, Enum):
    """What a name holds, as far as an AMP step cares."""

    SCALER = "scaler"
    OPTIMIZER = "optimizer"
    SCHEDULER = "scheduler"
    AUTOCAST = "autocast"
    OTHER = "other"


class Form(str, Enum):
    """How a binding relates to what it names."""

    SYMBOL = "symbol"  # the thing itself: a class, a function, a module outside this file
    INSTANCE = "instance"  # what calling the symbol returns
    PARTIAL = "partial"  # functools.partial over the symbol
    FUNCTION = "function"  # a function, method or lambda of this file
    CLASS = "class"  # a class of this file
    OBJECT = "object"  # an instance of a class of this file
    PARAMETER = "parameter"  # a parameter nothing is known about
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Binding:
    """One value a name may hold. `node` is what produced it: a call, a definition, a parameter.

    symbol: the qualified name outside this file ("torch.cuda.amp.GradScaler"), or the name of a local definition.
    scope: where `node` is to be resolved. guard: the test under which the name holds this value, if there is one.
    """

    form: Form
    symbol: str = ""
    node: Any = None
    scope: Any = None
    guard: ast.expr | None = None


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
    function, outermost first ("not (...)" on the else side). loops: the lines of the loops around it, across calls.
    names: canonical name -> how this function writes it. caller: the call that led here. proven: no name was guessed.
    """

    span: Span
    statement: Span
    function: str
    tests: tuple[str, ...] = ()
    loops: tuple[int, ...] = ()
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False, hash=False)
    caller: Site | None = None
    proven: bool = True

    def frames(self) -> Iterator[Site]:
        """This site, then the call that led here, and so on outwards."""
        site: Site | None = self
        while site is not None:
            yield site
            site = site.caller


@dataclass(frozen=True)
class Do:
    """One event. subject: of a backward, the variable that holds the loss; of a clip, whose parameters they are."""

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
    """An optimizer or a scaler is built here: nothing has happened to it."""

    name: str
    role: Role


Node = Do | Branch | Loop | Protected | Call | Jump | Assign | Opaque | Fresh
Block = tuple[Node, ...]


@dataclass(frozen=True)
class Routine:
    """One analysed function, method, or module body. events: all of them in source order, whatever the path.

    owners: optimizer -> whose parameters it updates.
    """

    name: str
    body: Block
    events: tuple[Do, ...] = ()
    owners: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
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


@dataclass(frozen=True)
class HalfOperation:
    """A half tensor meets a number: `tensor sign value`. region: the expression that opens the float16 region.

    proven: the tensor is half for sure, not by a network's name.
    """

    node: Any
    sign: str
    value: float
    region: ast.expr
    proven: bool


class Source(Protocol):
    """What a rule may ask about one file."""

    @property
    def path(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def tree(self) -> ast.Module: ...
    @property
    def routines(self) -> tuple[Routine, ...]: ...
    @property
    def occurrences(self) -> tuple[Occurrence, ...]: ...
    @property
    def half_operations(self) -> tuple[HalfOperation, ...]: ...
    def resolve(self, node: ast.expr) -> tuple[Binding, ...]:
        """What the expression may hold."""

    def span(self, node: ast.AST) -> Span:
        """Where the node lies, in characters."""

    def segment(self, node: ast.AST) -> str:
        """The node's source text."""

    def nodes(self, kinds: tuple[type[ast.AST], ...]) -> Iterable[ast.AST]:
        """Every node of these types."""

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, innermost first."""

    @property
    def import_aliases(self) -> frozenset[str]:
        """Names that an import binds to something outside this file."""

    @property
    def torch_floor(self) -> str:
        """The oldest torch the project says it supports ("2.1"); empty where it does not say."""
