"""What a call among tensors may run: functions, layers and objects, also those that callers or constructors hand in."""

from __future__ import annotations

import ast

from ampfix.lint import ops
from ampfix.lint.fields import Fields
from ampfix.lint.handed import Handed
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.lint.tensorframes import Frame
from ampfix.program import Binding, Form
from ampfix.program.spelling import is_super

_OPEN = frozenset({Form.PARAMETER, Form.UNKNOWN, Form.NONE})
_MAX_HOPS = 8  # frames that only pass a parameter on, and attributes of attributes
Found = tuple[tuple[Binding, ...], Frame]
"""What an expression holds, and the frame that says so: of a parameter that of the call which sets it."""


class TensorCallees:
    """Answers for one checked file."""

    def __init__(self, resolver: Resolver, handed: Handed, fields: Fields) -> None:
        self._resolver, self._handed, self._fields = resolver, handed, fields

    def of(self, node: ast.expr, frame: Frame, hops: int = 0) -> Found:
        """What an expression may hold in a frame."""
        found = self._resolver.resolve(node, frame.scope)
        if any(one.form not in _OPEN for one in found) or hops == _MAX_HOPS:
            return found, frame
        if any(one.form is Form.PARAMETER for one in found):
            given = self._given(node, frame, hops)
            if given is not None:
                return given
            agreed = self._handed.of(found)
            return (agreed if agreed is not found else self._handed.objects(node, frame.scope) or found), frame
        if isinstance(node, ast.Attribute) and node.attr not in ops.TENSOR_METHODS:
            return self._member(node, frame, hops) or (found, frame)
        return found, frame

    def receiver(self, node: ast.expr, frame: Frame) -> tuple[Binding | None, Scope | None]:
        """The object whose method is called as `node`, and its class."""
        if not isinstance(node, ast.Attribute):
            return None, None
        if is_super(node.value) or _is_self(node.value, frame):
            return frame.receiver, frame.scope.owner_class()
        held = next((one for one in self.of(node.value, frame)[0] if one.form is Form.OBJECT), None)
        return held, None if held is None else self._resolver.scope_of(held.node)

    def _given(self, node: ast.expr, frame: Frame, hops: int) -> Found | None:
        """What the call in progress hands in for a parameter, or the constructor of the object for an attribute."""
        if isinstance(node, ast.Name):
            definitions = frame.scope.names.get(node.id, ())
            given = frame.arguments.get(node.id) if len(definitions) == 1 else None
            return None if given is None else self._telling(*given, hops)
        if isinstance(node, ast.Attribute) and _is_self(node.value, frame) and frame.receiver is not None:
            return self._built_with(frame.receiver, node.attr, frame, hops)
        return None

    def _built_with(self, held: Binding, attribute: str, frame: Frame, hops: int) -> Found | None:
        """What an object was given for an attribute where it was built."""
        given = dict(self._fields.given(held)).get(attribute)
        if given is None or held.built is None:
            return None
        return self._telling(given, _frame_of(held.built[1], frame), hops)

    def _telling(self, node: ast.expr, frame: Frame, hops: int) -> Found | None:
        found = self.of(node, frame, hops + 1)
        return found if any(one.form not in _OPEN for one in found[0]) else None

    def _member(self, node: ast.Attribute, frame: Frame, hops: int) -> Found | None:
        """An attribute of an object that was handed in."""
        held, there = self.of(node.value, frame, hops + 1)
        for owner in held:
            if owner.form is not Form.OBJECT:
                continue
            found = tuple(self._resolver.attribute_of_class(self._resolver.scope_of(owner.node), node.attr))
            if any(one.form is Form.PARAMETER for one in found):
                return self._built_with(owner, node.attr, there, hops + 1) or (found, there)
            return (found, there) if found else None
        return None


def _is_self(node: ast.expr, frame: Frame) -> bool:
    return isinstance(node, ast.Name) and node.id == frame.scope.self_name()


def _frame_of(scope: Scope, frame: Frame) -> Frame:
    """The call in progress of the function of a scope, else one of which no more is known than what its object is."""
    owner = scope.owner_class()
    receiver = None
    for one in frame.callers():
        if one.scope.node is scope.node:
            return one
        if owner is not None and receiver is None and one.scope.owner_class() is owner:
            receiver = one.receiver
    return Frame(scope, frame.context, receiver=receiver)
