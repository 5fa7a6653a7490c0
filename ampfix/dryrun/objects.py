"""Functions, classes and instances of the project."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ampfix.dryrun.flows import NORMAL, Exit, Flow, returned
from ampfix.dryrun.library import NO_GRAD
from ampfix.dryrun.values import (
    NONE,
    Bound,
    Class,
    Function,
    Items,
    Known,
    Library,
    Managed,
    Region,
    Scope,
    Super,
    Thing,
    Value,
)

if TYPE_CHECKING:
    from ampfix.dryrun.calls import Calls

_MAX_CALLS = 40  # inside each other
_MAX_SAME = 2  # of one function inside itself
_STARTS = ("command", "main", "callback", "function", "local_entrypoint", "task", "remote", "automain", "flow")
_KINDS = {
    "property": "property", "cached_property": "property", "staticmethod": "staticmethod",
    "classmethod": "classmethod", "contextmanager": "contextmanager",
}  # fmt: skip


class Objects:
    """Runs functions, makes instances, finds members."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._state, self._store = calls, calls.state, calls.state.store
        self._bodies: dict[Scope, Class] = {}  # the classes whose bodies scopes are

    # definitions

    def define(self, node: ast.AST, scope: Scope) -> Value:
        """What a `def` or a `class` statement binds."""
        if isinstance(node, ast.ClassDef):
            made = self._class(node, scope)
            for decorator in reversed(node.decorator_list):
                self._decorated(made, decorator, scope)
            return made
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        owner = self._bodies.get(scope)
        around = scope.around if owner is not None and scope.around is not None else scope
        function: Value = Function(node, scope.module, around, owner=owner)
        for decorator in reversed(node.decorator_list):
            function = self._decorated(function, decorator, scope)
        return function

    def _decorated(self, function: Value, decorator: ast.expr, scope: Scope) -> Value:
        words = ast.unparse(decorator) if not isinstance(decorator, ast.Call) else ""
        kind = _KINDS.get(words.rpartition(".")[2])
        if kind is not None and isinstance(function, Function):
            function.kind = kind
            return function
        if words.endswith((".setter", ".deleter")):
            return function
        value = self._calls.expressions.evaluate(decorator, scope)
        if isinstance(function, Function) and _is_start(decorator) and not isinstance(value, Function):
            self._state.started.append(function)
        if isinstance(value, Library):
            if value.symbol in NO_GRAD and isinstance(function, Function):
                function.wraps = (*function.wraps, Region("no_grad"))
            return function
        if isinstance(value, Function | Region | Bound):
            made = self._calls.call(value, [function], {}, decorator, scope)
            return made if isinstance(made, Function | Bound | Thing) and not _is_unknown(made) else function
        return function

    def _class(self, node: ast.ClassDef, scope: Scope) -> Class:
        bases = tuple(self._calls.expressions.evaluate(base, scope) for base in node.bases)
        inner = Scope(scope.module, scope)
        made = self._bodies[inner] = Class(node, scope.module, inner, bases)
        self._calls.statements.block(node.body, inner)
        return made

    # members

    def mro(self, cls: Class) -> Iterator[Value]:
        """A class and its bases, the project's and the libraries'."""
        pending, seen = list[Value]([cls]), set[Value]()
        while pending:
            one = pending.pop(0)
            if one in seen:
                continue
            seen.add(one)
            yield one
            if isinstance(one, Class):
                pending[:0] = one.bases

    def member(self, cls: Class, name: str) -> Value | None:
        """What a class calls by a name."""
        for one in self.mro(cls):
            if isinstance(one, Class):
                value = self._store.get(one, name) or self._store.get(one.scope, name)
                if value is not None:
                    return value
        return None

    def of_instance(self, thing: Thing, name: str) -> Value | None:
        value = self._store.get(thing, name)
        if value is None and thing.cls is not None:
            value = self.member(thing.cls, name)
            if isinstance(value, Function) and value.kind == "classmethod":
                value = Bound(value, thing.cls)
        return value

    def inherited(self, of: Super, name: str) -> Value | None:
        """A method of the classes behind one in the order of the receiver's class."""
        start = of.receiver.cls if isinstance(of.receiver, Thing) and of.receiver.cls else of.cls
        order = list(self.mro(start))
        behind = order[order.index(of.cls) + 1 :] if of.cls in order else order[1:]
        for one in behind:
            if isinstance(one, Class):
                value = self._store.get(one.scope, name)
                if isinstance(value, Function):
                    return Bound(value, of.receiver)
        return None

    def instantiate(
        self, cls: Class, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        """A new object of a class."""
        external = [one.symbol for one in self.mro(cls) if isinstance(one, Library)]
        thing = Thing(cls=cls, node=node, path=scope.module.path, made_by=next(iter(external), ""))
        start = self.member(cls, "__init__")
        if isinstance(start, Function):
            self.run(start, [thing, *args], kwargs, node, scope)
        else:
            self._fill(thing, cls, args, kwargs)
            if not any(isinstance(one, ast.AnnAssign) for one in cls.node.body):
                self._calls.library.run_handed([*args, *kwargs.values()], node, scope)
        after = self.member(cls, "__post_init__")
        if isinstance(after, Function):
            self.run(after, [thing], {}, node, scope)
        return thing

    def _fill(self, thing: Thing, cls: Class, args: list[Value], kwargs: dict[str, Value]) -> None:
        """The fields of a record. A switch that is not handed in is a setting: either way."""
        fields = [
            (statement.target.id, statement.value)
            for one in reversed(list(self.mro(cls)))
            if isinstance(one, Class)
            for statement in one.node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        ]
        given = dict(zip((name for name, _ in fields), args, strict=False)) | kwargs
        for name, default in fields:
            value = given.get(name)
            if value is None and isinstance(default, ast.Constant) and isinstance(default.value, bool | str):
                value = self._state.unknown("setting", cls, name)
            if value is not None:
                self._store.put(thing, name, value)

    # functions

    def run(
        self, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        """Run a function's body with what is handed in."""
        if function.kind == "contextmanager":
            return Managed(function, args, kwargs)
        running = self._state.running
        if len(running) > _MAX_CALLS or running.count(function.node) >= _MAX_SAME:
            return self._state.unknown()
        generated = list[Value]()
        self._state.yielded.append(generated)
        self._calls.statements.on_yield.append(None)
        try:
            flow = self._flow(function, args, kwargs, node, scope)
        finally:
            self._calls.statements.on_yield.pop()
            self._state.yielded.pop()
        if _is_generator(function.node):
            return Items.listed(generated, whole=False)
        value = returned(flow)
        return value if value is not None else Library("builtins.exited")

    def manage(self, managed: Managed, node: ast.AST, scope: Scope, inside: Callable[[Value], Flow]) -> Flow:
        """Run a function that manages a context, and the body of the `with` statement where it yields."""
        ran = list[Flow]()

        def body(value: Value) -> Flow:
            outer = self._calls.statements.on_yield
            self._calls.statements.on_yield = outer[:-1] or [None]
            state = self._state
            before = state.calls, state.running
            state.calls, state.running = state.calls[:depth], state.running[:depth]
            try:
                ran.append(inside(value))
            finally:
                self._calls.statements.on_yield, (state.calls, state.running) = outer, before
            return NORMAL

        depth = len(self._state.calls)
        self._calls.statements.on_yield.append(body)
        self._state.yielded.append([])
        try:
            self._flow(managed.function, managed.args, managed.kwargs, node, scope)
        finally:
            self._calls.statements.on_yield.pop()
            self._state.yielded.pop()
        return ran[0] if ran else inside(self._state.unknown())

    def _flow(
        self, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Flow:
        inner = Scope(function.module, function.scope, function, args[0] if args and function.owner else None)
        self._bind(function, args, kwargs, inner)
        self._state.reached.add((function.module.path, function.node.lineno))
        opened = len(self._state.regions)
        try:
            with self._state.calling(node, scope.module, function.node), ExitStack() as wraps:
                for region in function.wraps:
                    if isinstance(region, Region):
                        wraps.enter_context(self._state.inside(region))
                if isinstance(function.node, ast.Lambda):
                    return Exit("return", self._calls.expressions.evaluate(function.node.body, inner))
                return self._calls.statements.block(function.node.body, inner)
        finally:
            del self._state.regions[opened:]

    def _bind(self, function: Function, args: list[Value], kwargs: dict[str, Value], inner: Scope) -> None:
        names = function.node.args
        positional = [*names.posonlyargs, *names.args]
        defaults = dict(zip((one.arg for one in reversed(positional)), reversed(names.defaults), strict=False))
        defaults |= {one.arg: given for one, given in zip(names.kwonlyargs, names.kw_defaults, strict=True) if given}
        left = dict(kwargs)
        unseen = left.get("**")
        left.pop("**", NONE)
        for place, one in enumerate(positional):
            if place < len(args):
                value = args[place]
            else:
                value = left[one.arg] if one.arg in left else self._default(one.arg, defaults, unseen, function)
            left.pop(one.arg, NONE)
            self._store.put(inner, one.arg, value)
        for one in names.kwonlyargs:
            value = left.pop(one.arg, NONE) if one.arg in left else self._default(one.arg, defaults, unseen, function)
            self._store.put(inner, one.arg, value)
        if names.vararg:
            rest = args[len(positional) :]
            self._store.put(inner, names.vararg.arg, Items.listed(rest))
        if names.kwarg:
            held = Items(tuple((Known(key), value) for key, value in left.items()), unseen is None)
            self._store.put(
                inner, names.kwarg.arg, self._calls.expressions.container(held, "dict", function.node, inner)
            )

    def _default(self, name: str, defaults: dict[str, ast.expr], unseen: Value | None, function: Function) -> Value:
        if unseen is None and name in defaults:
            return self._calls.expressions.evaluate(defaults[name], function.scope)
        return self._state.unknown(function, name) if unseen is None else self._state.unknown()


def _is_unknown(value: Value) -> bool:
    return isinstance(value, Thing) and value.cls is None and not value.made_by


def _is_start(decorator: ast.expr) -> bool:
    """Whether a decorator makes a function one that a program is started with, as `@app.command()` does."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(named, ast.Attribute) and named.attr in _STARTS


def _is_generator(node: ast.AST) -> bool:
    known = getattr(node, "_generates", None)
    if known is None:
        known = not isinstance(node, ast.Lambda) and any(_yields(one) for one in node.body)  # type: ignore[attr-defined]
        node._generates = known  # type: ignore[attr-defined]
    return bool(known)


def _yields(node: ast.AST) -> bool:
    if isinstance(node, ast.Yield | ast.YieldFrom):
        return True
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        return False
    return any(_yields(child) for child in ast.iter_child_nodes(node))
