"""Walks into the functions that calls among tensors run, in this file and in others."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ampfix.lint.interest import Reach
from ampfix.lint.numbers import defaults
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import FUNCTIONS, Scope, parameters
from ampfix.lint.tensorcallees import TensorCallees
from ampfix.lint.tensorframes import Frame, around, is_trained, join
from ampfix.lint.tensorrecords import OperationRecorder
from ampfix.program import Autocast, Binding, Context, Dtype, Form, Value
from ampfix.program.arity import accepts

_MAX_DEPTH = 8  # calls inside calls
Enter = Callable[[ast.AST, Frame], None]


class FunctionWalker(OperationRecorder):
    """Tells what functions return. `enter` walks the body of one in a frame and fills `returned`."""

    def __init__(self, resolver: Resolver, callees: TensorCallees, reach: Reach, enter: Enter) -> None:
        super().__init__(resolver)
        self._held, self._reach, self._enter = callees, reach, enter
        self._walked: dict[object, Value | None] = {}
        self._trained: dict[ast.AST | None, bool] = {}

    def _object(
        self, binding: Binding, node: ast.Call, operands: list[Value], keywords: dict[str, Value], frame: Frame
    ) -> Value | None:
        owner = self._resolver.scope_of(binding.node)  # a choice is bound to the scope that chooses
        for method in ("forward", "__call__"):
            for found in self._resolver.attribute_of_class(owner, method):
                if found.form is Form.FUNCTION:
                    return self._inlined(found.node, node, operands, keywords, frame, held=binding, within=found.scope)
        return None

    def _inlined(
        self,
        function: ast.AST,
        node: ast.Call,
        operands: list[Value],
        keywords: dict[str, Value],
        frame: Frame,
        *,
        held: Binding | None = None,
        within: Scope | None = None,
    ) -> Value | None:
        """What a function returns. held: the object that is called."""
        if not isinstance(function, FUNCTIONS) or function in frame.active or len(frame.active) >= _MAX_DEPTH:
            return None
        scope = within or self._resolver.scope_of(function)
        if not self._is_worth_entering(function, scope, [*operands, *keywords.values()], frame):
            return None
        formal = [parameter.arg for parameter in parameters(function)]
        is_method = scope.parent is not None and scope.parent.is_class and scope.self_name() is not None
        if not is_method and not accepts(function, node):
            return None
        if formal and is_method and (held is not None or isinstance(node.func, ast.Attribute)):
            formal = formal[1:]
        inner = self._frame(function, scope, held, node, frame)
        for name, default in defaults(function):
            inner.bind(name, self.value(default, Frame(scope.parent or scope, frame.context)))
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            operands = []
        else:
            inner.arguments.update(zip(formal, ((argument, frame) for argument in node.args), strict=False))
        inner.arguments.update({keyword.arg: (keyword.value, frame) for keyword in node.keywords if keyword.arg})
        for name, operand in (*zip(formal, operands, strict=False), *keywords.items()):
            inner.bind(name, operand)
        return self._returned(inner, node, frame)

    def _returned(self, inner: Frame, node: ast.Call, frame: Frame) -> Value:
        """What a call returns. A function of another file is walked once for the same kinds of arguments."""
        key = self._signature(inner) if inner.call is not None else None
        if key is None or key not in self._walked:
            assert inner.function is not None
            self._enter(inner.function, inner)
            returned = join(inner.returned, node) if inner.returned else None
            if key is None:
                return returned or self._input(node, frame)
            self._walked[key] = returned
        return self._walked[key] or self._input(node, frame)

    def _signature(self, frame: Frame) -> object:
        """What decides how a call goes: the function, the class of self, the region and what the arguments are."""
        context = frame.context
        held = tuple(
            (name, value.op, value.dtype, value.sure, value.scalar, value.number, _identity(value))
            for name, value in frame.names.items()
        )
        built = None if frame.receiver is None else frame.receiver.built and frame.receiver.built[0]
        region = (context.state, context.dtype, context.device, context.sure, self._is_trained(context))
        return frame.function, frame.scope.owner_class(), built, region, frame.opened_in, held

    def _is_trained(self, context: Context) -> bool:
        if context.entered not in self._trained:
            self._trained[context.entered] = is_trained(context.entered)
        return self._trained[context.entered]

    def _is_worth_entering(self, function: ast.AST, scope: Scope, operands: list[Value], frame: Frame) -> bool:
        """Of another file only what runs in a region, is handed a half, or opens a region itself."""
        if self._resolver.is_own(scope) or frame.context.state in (Autocast.ON, Autocast.ISLAND):
            return True
        return function in self._reach.functions or any(operand.is_half for operand in operands)

    def _frame(self, function: ast.AST, scope: Scope, held: Binding | None, node: ast.Call, frame: Frame) -> Frame:
        """The frame of a call, with `self` as the class of the object that it is."""
        owner = None if held is None else self._resolver.scope_of(held.node)
        if held is None and scope.parent is not None and scope.parent.is_class:
            held, owner = self._held.receiver(node.func, frame)
        if owner is not None and scope.parent in self._resolver.ancestry(owner):
            scope = self._resolver.seen_from(scope, owner)
        return Frame(
            scope,
            frame.context,
            {},
            function,
            around(scope, frame),
            (*frame.active, function),
            call=None if self._resolver.is_own(scope) else frame.call or node,
            receiver=held,
            caller=frame,
            opened_in=frame.opened_in,
        )


def _identity(value: Value) -> object:
    """What tells one constant, or one thing that may be a module, from another."""
    node = value.node
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return node.id
    return node if isinstance(node, ast.Call) and value.dtype is Dtype.UNKNOWN else None
