"""What the names of one function hold while it is walked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING

from ampfix.lint.dtypes import joined
from ampfix.lint.scopes import FUNCTIONS, Scope
from ampfix.program import Binding, Context, Value
from ampfix.program.tree import TreeIndex
from ampfix.records import dataclass, field
from ampfix.rules._shapes import backwards

if TYPE_CHECKING:
    from ampfix.lint.files import SourceFile


@dataclass
class Frame:
    """One function (None: the module) being walked."""

    scope: Scope
    context: Context
    names: dict[str, Value] = field(default_factory=dict)
    function: ast.AST | None = None
    outer: Frame | None = None
    active: tuple[ast.AST, ...] = ()
    returned: list[Value] = field(default_factory=list)
    elements: dict[str, tuple[ast.expr, Scope]] = field(default_factory=dict)  # what loops take from lists of modules
    call: ast.expr | None = None  # the call of the checked file that led into this one, if this is another file's
    arguments: dict[str, tuple[ast.expr, Frame]] = field(default_factory=dict)  # parameter -> what the call hands in
    receiver: Binding | None = None  # the object that self is
    caller: Frame | None = None
    opened_in: SourceFile | None = None  # another file that opened the region in progress, and tells what it holds
    _frozen: MappingProxyType[str, Value] | None = None

    def bind(self, path: str, value: Value) -> None:
        self.names[path] = value
        below = (f"{path}.", f"{path}[")
        for other in [name for name in self.names if name.startswith(below)]:
            del self.names[other]
        self._frozen = None

    def restore(self, names: dict[str, Value]) -> None:
        self.names, self._frozen = names, None

    def callers(self) -> Iterator[Frame]:
        """This frame and those that led into it."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.caller

    def lookup(self, path: str) -> Value | None:
        if path in self.names:
            return self.names[path]
        if self.outer is not None and path.partition(".")[0] not in self.scope.names:
            return self.outer.lookup(path)
        return None

    def snapshot(self) -> MappingProxyType[str, Value]:
        """The names as they are now; shared until one of them changes."""
        if self._frozen is None:
            self._frozen = MappingProxyType(dict(self.names))
        return self._frozen


def is_near(node: ast.expr, scope: Scope) -> bool:
    """Whether resolving a name leads no further than torch and the functions and classes of the file itself."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if not isinstance(node, ast.Name):
        return False
    if node.id == scope.self_name():
        return True
    definitions = scope.lookup(node.id)
    return bool(definitions) and all(
        definition.symbol.startswith("torch")
        or (definition.node is not None and not isinstance(definition.node, ast.arg))
        for definition in definitions
    )


def is_trained(entered: ast.AST | None) -> bool:
    """Whether the function that enters a region runs a backward, so that modules run there in training mode."""
    index: TreeIndex | None = getattr(entered, "ampfix_tree", None)
    if entered is None or index is None:
        return False
    owner = entered if isinstance(entered, FUNCTIONS) else index.owners[entered]
    return any(True for _ in backwards(owner))


def around(scope: Scope, frame: Frame) -> Frame | None:
    """The frame whose names a function of this scope sees besides its own."""
    chain = [one.node for one in scope.chain()]
    held: Frame | None = frame
    while held is not None and held.scope.node not in chain:
        held = held.outer
    return held


def join(values: list[Value], node: ast.AST) -> Value:
    """One of several values."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1:
        return distinct[0]
    found = joined(distinct)
    first = distinct[0]
    return Value(
        "join", found.dtype, node, tuple(distinct), sure=found.sure, scalar=found.scalar, context=first.context
    )
