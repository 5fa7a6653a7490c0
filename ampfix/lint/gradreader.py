"""What statements do to gradients, as events of the protocol."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Protocol

from ampfix.lint.clips import only_measures, owner_of
from ampfix.lint.frames import Frame, Namer
from ampfix.lint.gradedits import Change
from ampfix.lint.gradients import Gradients, Touch, gives_away, gradients_in
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope, parameters
from ampfix.patterns import pattern
from ampfix.program import Block, Do, Form
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.records import dataclass

_DEPTH = 3  # of helpers that hand on what helpers return
_KINDS = {Change.READ: EventKind.READ_GRAD, Change.EDIT: EventKind.EDIT_GRAD, Change.ZERO: EventKind.ZERO_GRAD}
_SPEAKS = pattern(r"grad|norm", re.IGNORECASE)  # what a helper of another file that returns their values is called
OWN_CLIP = "<own clip>"
"""The subject of a READ_GRAD that a hand-written clip compares with its threshold."""


class MakeEvent(Protocol):
    def __call__(
        self, kind: EventKind, node: ast.AST, frame: Frame, *, proven: bool, subject: str = "", **fields: object
    ) -> Do: ...


class GradientReader:
    """Looks at each function once."""

    def __init__(self, resolver: Resolver, namer: Namer, event: MakeEvent) -> None:
        self._resolver, self._namer, self._event = resolver, namer, event
        self._known: dict[ast.AST, Gradients | None] = {}

    def around(self, statement: ast.stmt, frame: Frame) -> tuple[Block, Block]:
        """The events in front of a statement's own, and those behind."""
        found = self._of(frame.scope, 0)
        touches = found.touches.get(id(statement), ()) if found is not None else ()
        if not touches:
            return (), ()
        return tuple(self._events(touches, frame, late=False)), tuple(self._events(touches, frame, late=True))

    def _events(self, touches: tuple[Touch, ...], frame: Frame, *, late: bool) -> Iterator[Do]:
        for touch in touches:
            if touch.late is late:
                owner = "" if touch.owner is None else owner_of(touch.owner, frame, self._namer)
                subject = OWN_CLIP if touch.clip and touch.change is Change.READ else owner
                kind = _KINDS[touch.change]
                yield self._event(kind, touch.node, frame, proven=True, subject=subject, linear=subject == OWN_CLIP)

    def _of(self, scope: Scope, depth: int) -> Gradients | None:
        """What a function does with gradients; None for one that has nothing to do with them."""
        function = scope.node
        if function not in self._known:
            self._known[function] = None  # a function that calls itself
            helpers = _Called(self._resolver, scope, depth + 1, self._of)
            if depth <= _DEPTH and _concerned(function, scope, helpers.returns_gradients):
                self._known[function] = gradients_in(function, helpers)
        return self._known[function]


@dataclass(frozen=True)
class _Called:
    """What the functions that calls of one scope run do with gradients. of: asks for that of one of them."""

    resolver: Resolver
    scope: Scope
    depth: int
    of: Callable[[Scope, int], Gradients | None]

    def returns_gradients(self, call: ast.Call) -> bool:
        if only_measures(call, self.scope, self.resolver):
            return True
        function = self._function(call)
        found = self.of(self.resolver.scope_of(function), self.depth) if function is not None else None
        return found is not None and found.returns and not _runs_backward(function)

    def withholds(self, call: ast.Call, given: tuple[ast.expr, ...]) -> bool:
        function = self._function(call) if self.depth <= _DEPTH else None
        if function is None or any(isinstance(one, ast.Starred) for one in call.args):
            return False
        names = [one.arg for one in parameters(function)]
        passed = [
            *zip(names[isinstance(call.func, ast.Attribute) and names[:1] == ["self"] :], call.args, strict=False)
        ]
        passed += [(word.arg or "", word.value) for word in call.keywords]
        handed = [name for name, value in passed if value in given]
        inner = _Called(self.resolver, self.resolver.scope_of(function), self.depth + 1, self.of)
        return len(handed) == len(given) and not gives_away(function, handed, inner)

    def _function(self, call: ast.Call) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        for binding in self.resolver.resolve(call.func, self.scope):
            if binding.form is Form.FUNCTION and isinstance(binding.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return binding.node
        return None


def _concerned(function: ast.AST, scope: Scope, returns: Callable[[ast.Call], bool]) -> bool:
    """Whether a function reaches for gradients, or calls one that does."""
    nodes, file = walk(function), scope.root().file
    speaks = file is None or ".grad" in file.text
    if speaks and any(node.__class__ is ast.Attribute and node.attr == "grad" for node in nodes):
        return True
    local = file.reaching_for_gradients if file is not None else frozenset()
    calls = [node for node in nodes if node.__class__ is ast.Call]
    return any(((name := _called(node)) in local or _SPEAKS.search(name)) and returns(node) for node in calls)


def _runs_backward(function: ast.AST | None) -> bool:
    """Whether the gradients a function reads are those of a backward of its own."""
    return function is not None and any(
        isinstance(node, ast.Call) and _called(node) == "backward" for node in walk(function)
    )


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
