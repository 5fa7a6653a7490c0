"""The values of a dry run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from ampfix.records import dataclass, field


class Value:
    """What an expression may stand for. Compared by identity, but for the frozen ones."""

    __slots__ = ()


@dataclass(frozen=True)
class Known(Value):
    """A constant of Python: a number, a text, True, None."""

    value: Any


UNROLLED = 6  # elements of a list written out that a loop goes through one by one
HELD = "held items"  # in the store, what a container holds; no attribute is called so
NONE, TRUE, FALSE = Known(None), Known(True), Known(False)


@dataclass(eq=False)
class Thing(Value):
    """One object, the same wherever it goes; what it holds stands in the store.

    made_by: what it was called to make it: the qualified name of a library's class, or empty. cls: its class where that
    is seen. owners: the things it was made from and may be a part of, as a tensor of models.
    """

    made_by: str = ""
    cls: Class | None = None
    owners: frozenset[Thing] = frozenset()
    node: ast.AST | None = None
    path: str = ""

    def __repr__(self) -> str:
        return f"<{self.made_by or (self.cls.name if self.cls else '?')} at {getattr(self.node, 'lineno', 0)}>"


@dataclass(eq=False)
class Class(Value):
    """A class of the project. scope: the number of the frame that it was defined in."""

    node: ast.ClassDef
    module: ModuleOf
    scope: Scope
    bases: tuple[Value, ...] = ()

    @property
    def name(self) -> str:
        return self.node.name


@dataclass(eq=False)
class Function(Value):
    """A function of the project, and the scope it was defined in. wraps: the regions and modes its decorators open."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: ModuleOf
    scope: Scope
    wraps: tuple[Value, ...] = ()
    kind: str = ""  # "property", "staticmethod", "classmethod", "contextmanager"
    owner: Class | None = None


@dataclass(eq=False)
class Bound(Value):
    """A method of a thing, of the library's where `function` is a name."""

    function: Function | str
    receiver: Value


@dataclass(eq=False)
class Partial(Value):
    """A call that was begun."""

    function: Value
    args: tuple[Value, ...]
    kwargs: dict[str, Value]


@dataclass(frozen=True)
class Library(Value):
    """A name of a library, or of anything outside the project, as it is imported."""

    symbol: str


@dataclass(eq=False)
class ModuleOf(Value):
    """A file of the project."""

    path: str
    name: str


@dataclass(frozen=True)
class Imported(Value):
    """What an import brings in, before it is looked at. name: of a module's; empty for the module itself."""

    module: str
    name: str
    importer: str


@dataclass(eq=False)
class Managed(Value):
    """A call of a function that manages a context: it runs when it is entered."""

    function: Function
    args: list[Value]
    kwargs: dict[str, Value]


@dataclass(frozen=True)
class Super(Value):
    """The base classes of a class, as its methods reach them."""

    cls: Class
    receiver: Value


@dataclass(eq=False)
class Scope:
    """The names of one call, class body or module. around: the scope it looks further in."""

    module: ModuleOf
    around: Scope | None = None
    function: Function | None = None
    receiver: Value | None = None
    names: set[str] = field(default_factory=set)  # bound in it


@dataclass(frozen=True)
class StateOf(Value):
    """What `state_dict()` of a thing returns. taken: the calls that lead to where it was asked for, and that place."""

    thing: Thing
    taken: Any = field(default=(), compare=False)


@dataclass(frozen=True)
class Items(Value):
    """What a dictionary (by key) or a list (keys are numbers) holds. whole: nothing else is in it."""

    entries: tuple[tuple[Value, Value], ...] = ()
    whole: bool = True

    @staticmethod
    def listed(values: Iterable[Value], *, whole: bool = True) -> Items:
        """What a list of values holds."""
        return Items(tuple((Known(place), value) for place, value in enumerate(values)), whole)

    def get(self, key: Value) -> Value | None:
        return next((value for one, value in self.entries if one == key), None)

    def put(self, key: Value, value: Value) -> Items:
        entries = dict(self.entries)
        entries[key] = value
        return Items(tuple(entries.items()), self.whole)

    def opened(self) -> Items:
        return Items(self.entries, False)


@dataclass(frozen=True)
class Region(Value):
    """What a `with` statement opens. kind: "autocast", "no_grad", "grad" or "nothing"."""

    kind: str
    enabled: Value = TRUE
    dtype: Value | None = None
    device: Value | None = None
    node: Any = field(default=None, compare=False)
    path: str = ""


@dataclass(frozen=True)
class Test:
    """A question a run cannot answer: the truth of an unknown value, or whether it equals a constant."""

    of: Any
    equals: Any = None


@dataclass(frozen=True)
class Choice(Value):
    """One of two values, as a test decides."""

    test: Test
    yes: Value
    no: Value


def leaves(value: Value) -> Iterator[Value]:
    """All values that one may be."""
    if isinstance(value, Choice):
        yield from leaves(value.yes)
        yield from leaves(value.no)
    else:
        yield value
