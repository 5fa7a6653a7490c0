"""Which functions a call may run, and the frame each runs in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ampfix.lint.calls import CallReader
from ampfix.lint.fields import Fields, Given
from ampfix.lint.frames import Frame, Namer
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import FUNCTIONS, Scope, parameters
from ampfix.lint.signatures import default_of
from ampfix.program import Binding, Form
from ampfix.program.spelling import is_super
from ampfix.records import dataclass

_CALLED = ("__call__", "forward")
Argument = tuple[ast.expr, Frame]


@dataclass(frozen=True)
class Callee:
    """A function with what `self` is in it. self_node: None for a plain function; receiver: the class of self."""

    function: ast.AST
    binding: Binding
    self_node: ast.expr | None = None
    receiver: Scope | None = None
    fields: Given | None = None


class Callees:
    """Answers for one checked file."""

    def __init__(self, resolver: Resolver, reader: CallReader, fields: Fields) -> None:
        self._resolver, self._reader, self._fields = resolver, reader, fields
        self._namer: Namer = reader.namer

    def of(self, node: ast.Call, frame: Frame) -> Iterator[Callee]:
        """The functions whose definition can be seen; a parameter is what the caller passed for it."""
        for binding in self._resolver.resolve(node.func, frame.scope):
            yield from self._of(binding, node.func, frame)
        passed = frame.passed(node.func)
        if passed is not None:
            function, caller = passed
            for binding in self._resolver.resolve(function, caller.scope):
                yield from self._of(binding, function, caller)
        elif isinstance(node.func, ast.Attribute):
            yield from self._methods_of_given(node.func, frame)

    def _methods_of_given(self, node: ast.Attribute, frame: Frame) -> Iterator[Callee]:
        """The method of an object that the caller passed, or that constructors and callers hand in."""
        given = frame.passed(node.value)
        known = [] if given is None else self._resolver.resolve(given[0], given[1].scope)
        objects = [one for one in known if one.form is Form.OBJECT]
        there = frame if given is None else given[1]
        for held in objects or self._reader.handed.objects(node.value, frame.scope):
            found = self._methods(held, node.value, (node.attr,), there if objects else frame)
            yield from (one for one in found if not is_stub(one.function))

    def method(self, node: ast.expr, name: str, frame: Frame) -> Callee | None:
        """A method of the object that an expression holds, if its class can be seen."""
        for binding in self._resolver.resolve(node, frame.scope):
            if binding.form is Form.OBJECT:
                return next(self._methods(binding, node, (name,), frame), None)
        return None

    def _of(self, binding: Binding, node: ast.expr, frame: Frame) -> Iterator[Callee]:
        if binding.form is Form.FUNCTION:
            yield self._function(binding, node, frame)
        elif binding.form is Form.OBJECT:
            yield from self._methods(binding, node, _CALLED, frame)

    def _methods(self, binding: Binding, node: ast.expr, names: Iterable[str], frame: Frame) -> Iterator[Callee]:
        owner = self._resolver.scope_of(binding.node)
        for name in names:
            for found in self._resolver.attribute_of_class(owner, name):
                if found.form is Form.FUNCTION:
                    yield Callee(found.node, found, node, owner, self._fields.of(binding, frame))
                    return

    def _function(self, binding: Binding, node: ast.expr, frame: Frame) -> Callee:
        plain = Callee(binding.node, binding)
        method = binding.scope
        if not isinstance(node, ast.Attribute) or not method.parent or not method.parent.is_class:
            return plain
        own_self = frame.scope.self_name()
        if is_super(node.value) and own_self is not None:
            return Callee(
                binding.node, binding, ast.Name(own_self, ast.Load()), frame.scope.owner_class(), frame.fields
            )
        if isinstance(node.value, ast.Name) and node.value.id == own_self:
            return Callee(binding.node, binding, node.value, frame.scope.owner_class(), frame.fields)
        for held in self._resolver.resolve(node.value, frame.scope):
            if held.form is Form.CLASS:
                return plain
            if held.form is Form.OBJECT:
                owner = self._resolver.scope_of(held.node)
                return Callee(binding.node, binding, node.value, owner, self._fields.of(held, frame))
        return Callee(binding.node, binding, node.value)

    # frames

    def frame(self, callee: Callee, node: ast.Call, frame: Frame) -> Frame:
        """The frame of a callee, called by `node` in `frame`."""
        scope = self._resolver.scope_of(callee.function)
        if callee.receiver is not None and scope.parent in self._resolver.ancestry(callee.receiver):
            scope = self._resolver.seen_from(scope, callee.receiver)
        prefix = f"{scope.label}@{node.lineno}:"
        formal = [p.arg for p in parameters(callee.function)] if isinstance(callee.function, FUNCTIONS) else []
        bindings: dict[str, str] = {}
        self_name = scope.self_name()
        if callee.self_node is not None and self_name is not None and formal[:1] == [self_name]:
            owner = self._namer.canonical(callee.self_node, frame)
            bindings[formal.pop(0)] = owner if owner is not None else f"{prefix}{self_name}"
        arguments = {**dict(self._defaults(scope, node)), **dict(self._arguments(callee, formal, node, frame))}
        for name, (argument, caller) in arguments.items():
            path = self._namer.canonical(argument, caller)
            if path is not None:
                bindings[name] = path
        return Frame(
            scope,
            bindings,
            arguments,
            prefix,
            call=self._reader.site(node, frame),
            closure=_closure(scope, frame),
            depth=frame.depth + 1,
            loops=frame.loops,
            fields=callee.fields or {},
        )

    def _defaults(self, scope: Scope, node: ast.Call) -> Iterator[tuple[str, Argument]]:
        """Constants that parameters hold where the call, in full view, does not set them."""
        unclear = any(isinstance(argument, ast.Starred) for argument in node.args)
        if unclear or any(keyword.arg is None for keyword in node.keywords) or not isinstance(scope.node, FUNCTIONS):
            return
        for parameter in parameters(scope.node):
            default = default_of(parameter, scope.node)
            if isinstance(default, ast.Constant):
                yield parameter.arg, (default, Frame(scope.parent or scope))

    def _arguments(
        self, callee: Callee, formal: list[str], node: ast.Call, frame: Frame
    ) -> Iterator[tuple[str, Argument]]:
        positional: list[Argument] = []
        keywords: list[tuple[str, Argument]] = []
        if callee.binding.preset is not None:
            call, scope = callee.binding.preset
            there = frame if scope.node is frame.scope.node else Frame(scope)
            positional += [(argument, there) for argument in call.args[1:]]
            keywords += [(keyword.arg, (keyword.value, there)) for keyword in call.keywords if keyword.arg]
        positional += [(argument, frame) for argument in node.args]
        keywords += [(keyword.arg, (keyword.value, frame)) for keyword in node.keywords if keyword.arg]
        starred = next((i for i, (argument, _) in enumerate(positional) if isinstance(argument, ast.Starred)), None)
        yield from zip(formal, positional[:starred], strict=False)
        yield from keywords


def is_stub(function: ast.AST) -> bool:
    """Whether a function leaves its work to a subclass."""
    body = getattr(function, "body", [])
    return isinstance(body, list) and all(
        isinstance(statement, (ast.Pass, ast.Raise))
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def _closure(scope: Scope, frame: Frame) -> Frame | None:
    """The frame in progress that a nested function sees the names of."""
    around = {outer.node for outer in scope.chain()}
    current: Frame | None = frame
    while current is not None and current.scope.node not in around:
        current = current.closure
    return current
