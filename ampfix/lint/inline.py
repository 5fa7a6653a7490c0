"""Follows calls: into functions, methods and callable objects, the wrapper of a decorator, the body of a context
manager. What cannot be followed leaves a mark, so that nothing is said about the state behind it."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ampfix.lint.callees import Callee, Callees, is_stub
from ampfix.lint.calls import CallReader
from ampfix.lint.frames import YIELD, Frame
from ampfix.lint.project import NEVER_LOCAL
from ampfix.lint.prune import every_node
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.lint.usage import dotted, is_harmless
from ampfix.program import (
    Atom,
    Block,
    Branch,
    Call,
    Condition,
    Do,
    Form,
    Fresh,
    Jump,
    JumpKind,
    Node,
    Opaque,
    Protected,
    Role,
)
from ampfix.program.tree import walk
from ampfix.records import replace
from ampfix.rules._shapes import own

_MAX_DEPTH = 5  # calls inside calls
_MAX_INLINED = 120  # calls inlined into one routine
_MAX_CANDIDATES = 3  # functions that one call may run
_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
_Body = Callable[[ast.AST, Frame], Block]


class Inliner:
    """Follows the calls of one routine at a time. `lower` turns a function in a frame into a block."""

    def __init__(
        self,
        resolver: Resolver,
        reader: CallReader,
        callees: Callees,
        interesting: frozenset[ast.AST],
        lower: _Body,
    ) -> None:
        self._resolver, self._reader, self._callees = resolver, reader, callees
        self._interesting, self._lower = interesting, lower
        self._inlined = 0
        self._open: list[ast.AST] = []
        # Functions that came to nothing when they were handed nothing of interest.
        self._idle: set[tuple[ast.AST, Scope | None]] = set()
        self._circles = 0  # calls that lead back to a function in progress, so far

    def start(self, function: ast.AST) -> None:
        """Begin a routine."""
        self._inlined, self._open = 0, [function]

    def follow(self, node: ast.Call, frame: Frame) -> Block:
        """What a call does that is no event by itself."""
        wrapped = _wrapped_body(node.func, frame)
        if wrapped is not None:
            return (Call(wrapped),)
        if self._resolver.is_idle(node.func, frame.scope) and not self._hands_over_state(node, frame):
            return ()
        callees = {callee.function: callee for callee in self._callees.of(node, frame)}
        worth = [callee for callee in callees.values() if callee.function in self._interesting]
        if not worth:
            stub = any(is_stub(callee.function) for callee in callees.values()) and _is_hook(node.func, frame)
            unseen = stub or (not callees and self._hands_over_self(node, frame))
            return self._reader.opaque(node, frame) or ((Opaque(certain=False),) if unseen else ())
        if any(_is_generator(callee.function) for callee in worth):
            return (Opaque(),)  # it runs piece by piece, when it is asked for the next value
        result: Block = ()
        for index, callee in enumerate(reversed(worth[:_MAX_CANDIDATES])):
            body = self._body(callee, node, frame)
            is_last = index == 0 and len(worth) == len(callees)
            result = body if is_last else (Branch(self._chosen(callee, node, frame), body, result),)
        return result if result else self._reader.opaque(node, frame)

    def _hands_over_state(self, node: ast.Call, frame: Frame) -> bool:
        """Whether a call gets what a step is made of, or the object that may hold it."""
        self_name = frame.scope.self_name()
        for value in _given(node):
            if isinstance(value, ast.Name) and value.id == self_name:
                return True
            if dotted(value) and self._reader.role(value, frame) in (Role.SCALER, Role.OPTIMIZER):
                return True
        return False

    def _hands_over_self(self, node: ast.Call, frame: Frame) -> bool:
        """Whether code that cannot be seen gets the object whose optimizers these may be: `hooks.run("step", self)`."""
        self_name = frame.scope.self_name()
        if self_name is None or not any(isinstance(v, ast.Name) and v.id == self_name for v in _given(node)):
            return False
        if isinstance(node.func, ast.Name) and not frame.scope.lookup(node.func.id):
            return False  # a builtin
        symbols = self._resolver.symbols(node.func, frame.scope)
        return not any(symbol.partition(".")[0] in NEVER_LOCAL for symbol in symbols)

    def _body(self, callee: Callee, node: ast.Call, frame: Frame) -> Block:
        if callee.function in self._open:
            self._circles += 1
            return ()
        if frame.depth >= _MAX_DEPTH or self._inlined >= _MAX_INLINED:
            return (Opaque(),)
        plain = not any(self._reader.role(value, frame) is not Role.OTHER for value in _given(node) if dotted(value))
        key = (callee.function, callee.receiver)
        if plain and key in self._idle:
            return ()
        circles = self._circles
        body = self._lowered(callee, node, frame)
        if any(_acts(inner) for inner in every_node(body)):
            return (Call(body),)
        if plain and circles == self._circles:
            self._idle.add(key)
        return ()

    def _lowered(self, callee: Callee, node: ast.Call, frame: Frame, yielded: Block | None = None) -> Block:
        self._inlined += 1
        self._open.append(callee.function)
        inner = self._callees.frame(callee, node, frame)
        if yielded is not None:
            inner = replace(inner, bodies={YIELD: yielded})
        body = self._lower(callee.function, inner)
        self._open.pop()
        return body

    def _chosen(self, callee: Callee, node: ast.Call, frame: Frame) -> Condition:
        """When a call of several possible functions runs this one."""
        guard, scope = callee.binding.guard, callee.binding.scope
        if guard is not None:
            known = self._reader.namer.foreign(guard, scope.parent or scope, frame)
            if known is not None:
                return known
        path = self._reader.namer.canonical(node.func, frame) or ast.unparse(node.func)
        return Atom(f"<{path} is {callee.binding.symbol}>", frozenset({path}))

    # decorators and context managers

    def wrapped(self, decorator: ast.expr, frame: Frame, body: Block) -> Block:
        """A function's body inside what its decorator runs around it; the body itself where that cannot be seen."""
        scope = frame.scope.parent or frame.scope
        for binding in self._resolver.resolve(decorator, scope):
            function = binding.node
            if binding.form is not Form.FUNCTION or function not in self._interesting or function in self._open:
                continue
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or not function.args.args:
                continue
            inner = self._returned_function(function)
            if inner is None or frame.depth >= _MAX_DEPTH:
                continue
            outer = Frame(self._resolver.scope_of(function), depth=frame.depth + 1, call=frame.call, loops=frame.loops)
            outer = replace(outer, bodies={function.args.args[0].arg: body})
            self._open.append(function)
            around = self._lower(inner, replace(outer, scope=self._resolver.scope_of(inner), closure=outer, paths={}))
            self._open.pop()
            if any(node is body[0] for node in _inside(around)):
                return around
        return body

    def _returned_function(self, decorator: ast.AST) -> ast.AST | None:
        """The function that a decorator puts in the place of what it decorates."""
        scope = self._resolver.scope_of(decorator)
        for returned in self._resolver.returned(decorator):
            for binding in self._resolver.resolve(returned, scope):
                if binding.form is Form.FUNCTION and binding.node is not decorator:
                    function: ast.AST = binding.node
                    return function
        return None

    def streamed(self, node: ast.expr, frame: Frame, inner: Block) -> Block | None:
        """A generator with the body of the loop over it in the place of each `yield`; None where it does nothing of
        interest, or where the body leaves its turn early."""
        callees = list(self._callees.of(node, frame)) if isinstance(node, ast.Call) else []
        if len(callees) != 1 or not isinstance(node, ast.Call) or not _is_generator(callees[0].function):
            return None
        if not self._may_open(callees[0], frame) or any(isinstance(one, Jump) for one in every_node(inner)):
            return None
        around = self._lowered(callees[0], node, frame, inner)
        return (Call(around),) if not inner or any(one is inner[0] for one in every_node(around)) else None

    def pulled(self, node: ast.expr, frame: Frame, inner: Block) -> Block:
        """A loop's body behind what a generator, which is not followed, does for each of its values."""
        named = frame.scope.lookup(node.id) if isinstance(node, ast.Name) else []
        sources = [node, *(one.value for one in named if one.value is not None)]
        calls = (call for source in sources for call in walk(source) if isinstance(call, ast.Call))
        unseen = any(
            _is_generator(callee.function) and callee.function in self._interesting
            for call in calls
            for callee in self._callees.of(call, frame)
        )
        return (Opaque(), *inner) if unseen else inner

    def managed(self, node: ast.expr, frame: Frame, inner: Block) -> Block | None:
        """A `with` body inside what its manager does around it; None where the manager does nothing of interest."""
        if isinstance(node, ast.Call):
            for callee in self._callees.of(node, frame):
                if self._is_manager(callee.function) and self._may_open(callee, frame):
                    around = self._lowered(callee, node, frame, inner)
                    return around if not inner or any(one is inner[0] for one in _inside(around)) else None
        enter, leave = (self._callees.method(node, name, frame) for name in ("__enter__", "__exit__"))
        if enter is None or leave is None or not self._may_open(enter, frame):
            return None
        call = ast.copy_location(ast.Call(node, [], []), node)
        return (*self._body(enter, call, frame), Protected(inner, final=self._body(leave, call, frame)))

    def _may_open(self, callee: Callee, frame: Frame) -> bool:
        is_free = callee.function in self._interesting and callee.function not in self._open
        return is_free and frame.depth < _MAX_DEPTH and self._inlined < _MAX_INLINED

    def _is_manager(self, function: ast.AST) -> bool:
        decorators: list[ast.expr] = getattr(function, "decorator_list", [])
        scope = self._resolver.scope_of(function)
        return any(set(self._resolver.symbols(one, scope.parent or scope)) & _MANAGERS for one in decorators)


def _acts(node: Node) -> bool:
    """Whether a node changes any state, or keeps what is behind it from running."""
    return isinstance(node, (Do, Opaque, Fresh)) or (isinstance(node, Jump) and node.kind is JumpKind.RAISE)


def _given(node: ast.Call) -> tuple[ast.expr, ...]:
    """A call's arguments."""
    return (*node.args, *(keyword.value for keyword in node.keywords))


def _inside(block: Block) -> list[object]:
    """Every node of a block and of the blocks in it."""
    return list(every_node(block))


def _wrapped_body(function: ast.expr, frame: Frame) -> Block | None:
    """The body that a parameter of a decorator stands for."""
    current: Frame | None = frame if isinstance(function, ast.Name) else None
    while current is not None:
        if isinstance(function, ast.Name) and function.id in current.bodies:
            return current.bodies[function.id]
        current = current.closure
    return None


def _is_generator(function: ast.AST) -> bool:
    return any(isinstance(node, ast.Yield) for node in own(function))


def _is_hook(function: ast.expr, frame: Frame) -> bool:
    """Whether a call reaches a method that a subclass may fill in."""
    path = dotted(function) or ""
    root, _, name = path.partition(".")
    is_own = root == frame.scope.self_name() and frame.scope.receiver is None
    return is_own and "." not in name and not is_harmless(name)
