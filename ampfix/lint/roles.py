"""What an expression is to a training step: a proven binding first, behaviour next, a telling name last."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ampfix.lint.handed import Handed
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope, parameters
from ampfix.lint.usage import Guess, dotted
from ampfix.program import Binding, Form, Role

if TYPE_CHECKING:
    from ampfix.lint.frames import Frame

_DEFINED = (Form.FUNCTION, Form.CLASS, Form.OBJECT)
_METHODS = ("scale", "unscale_", "step", "update")
_OPEN = (Form.PARAMETER, Form.UNKNOWN, Form.NONE)
NOTHING = Guess(Role.OTHER, False)


class Roles:
    """Roles of expressions inside frames, so that a helper's parameter has the role of what its caller passed."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.handed = Handed(resolver)
        self._known: dict[tuple[ast.expr, Scope], Guess] = {}  # of what no caller hands in

    def of(self, node: ast.expr, frame: Frame) -> Guess:
        passed = frame.passed(node)
        if passed is not None:
            return self._of(node, frame, passed)
        key = (node, frame.scope)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._of(node, frame, None)
        return known

    def _of(self, node: ast.expr, frame: Frame, passed: tuple[ast.expr, Frame] | None) -> Guess:
        direct = self._seen(node, frame)
        bindings = self.handed.of(direct)
        found = [role for binding in bindings if (role := self.resolver.role(binding)) is not Role.OTHER]
        if found:
            return Guess(found[0], True)
        if any(binding.form in _DEFINED for binding in direct) or any(self._does_alike(one) for one in bindings):
            return NOTHING  # its definition can be seen, and is not what its name says
        if passed is not None:
            guess = self.of(*passed)
            if guess.role is not Role.OTHER or any(self._does_alike(one) for one in self.held(node, frame)):
                return guess
        path = dotted(node)
        if path is None:
            return NOTHING
        assert frame.scope.file is not None
        guess = frame.scope.file.usage.guess(path, frame.scope)
        built_elsewhere = any(binding.form is Form.INSTANCE for binding in bindings)
        return Guess(guess.role, guess.proven and not built_elsewhere and not self._is_never_set(node, frame.scope))

    def _is_never_set(self, node: ast.expr, scope: Scope) -> bool:
        """Whether no class that can be seen sets an attribute of self: what it holds, if anything, nobody shows."""
        owner = scope.owner_class()
        if owner is None or not isinstance(node, ast.Attribute) or dotted(node.value) != scope.self_name():
            return False
        return not any(node.attr in one.attributes or node.attr in one.names for one in self.resolver.ancestry(owner))

    def _seen(self, node: ast.expr, frame: Frame) -> tuple[Binding, ...]:
        """What an expression holds, be it an attribute of an object that callers hand in: `self.precision.scaler`."""
        found = self.resolver.resolve(node, frame.scope)
        if not isinstance(node, ast.Attribute) or any(one.form is not Form.UNKNOWN for one in found):
            return found
        owners = (self.resolver.scope_of(one.node) for one in self.handed.objects(node.value, frame.scope))
        return tuple(held for owner in owners for held in self.resolver.attribute_of_class(owner, node.attr)) or found

    def _does_alike(self, binding: Binding) -> bool:
        """Whether it is an object whose class defines methods as a scaler or an optimizer has them."""
        if binding.form is not Form.OBJECT:
            return False
        owner = self.resolver.scope_of(binding.node)
        return any(True for name in _METHODS for _ in self.resolver.attribute_of_class(owner, name))

    def held(self, node: ast.expr, frame: Frame) -> tuple[Binding, ...]:
        """What an expression may hold, where a caller handed it in too."""
        bindings = self.handed.of(self._seen(node, frame))
        passed = frame.passed(node)
        if passed is not None:
            return bindings + self.resolver.resolve(passed[0], passed[1].scope)
        return bindings + self.handed.objects(node, frame.scope)

    def instance(self, node: ast.expr, frame: Frame, role: Role) -> Binding | None:
        """The construction behind an expression of this role, where the file shows it."""
        return next(iter(self.instances(node, frame, role)), None)

    def instances(self, node: ast.expr, frame: Frame, role: Role) -> tuple[Binding, ...]:
        """Every construction behind an expression of this role that the file shows."""
        held = self._seen(node, frame)
        built = tuple(b for b in held if self.resolver.role(b) is role and isinstance(b.node, ast.Call))
        passed = frame.passed(node)
        return built if built or passed is None else self.instances(*passed, role)


def behind(node: ast.expr, frame: Frame) -> tuple[ast.expr, Frame]:
    """What callers passed for an expression, through all of them; the expression itself where none did."""
    passed = frame.passed(node)
    return (node, frame) if passed is None else behind(*passed)


def argument(call: ast.Call, keyword: str, position: int | None = None) -> ast.expr | None:
    """A call's argument by keyword, else by position."""
    for candidate in call.keywords:
        if candidate.arg == keyword:
            return candidate.value
    if position is not None and position < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args):
        return call.args[position]
    return None


__all__ = ["NOTHING", "Roles", "argument", "behind", "parameters"]
