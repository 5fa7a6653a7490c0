"""What an expression is to a training step: a proven binding first, behaviour next, a telling name last."""

from __future__ import annotations

import ast

from ampfix.lint.frames import Frame
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import parameters
from ampfix.lint.usage import Guess, Usage, dotted
from ampfix.program import Binding, Form, Role

_OPEN = (Form.PARAMETER, Form.UNKNOWN, Form.NONE)
NOTHING = Guess(Role.OTHER, False)


class Roles:
    """Roles of expressions inside frames, so that a helper's parameter has the role of what its caller passed."""

    def __init__(self, resolver: Resolver, usage: Usage) -> None:
        self.resolver, self._usage = resolver, usage

    def of(self, node: ast.expr, frame: Frame) -> Guess:
        bindings = self.resolver.resolve(node, frame.scope)
        found = [role for binding in bindings if (role := self.resolver.role(binding)) is not Role.OTHER]
        if found:
            return Guess(found[0], True)
        if any(binding.form in (Form.FUNCTION, Form.CLASS, Form.OBJECT) for binding in bindings):
            return NOTHING  # defined in this file, and not what its name says
        if isinstance(node, ast.Name) and node.id in frame.arguments:
            argument, caller = frame.arguments[node.id]
            passed = self.of(argument, caller)
            if passed.role is not Role.OTHER:
                return passed
        path = dotted(node)
        if path is None:
            return NOTHING
        guess = self._usage.guess(path, frame.scope)
        built_elsewhere = any(binding.form is Form.INSTANCE for binding in bindings)
        return Guess(guess.role, guess.proven and not built_elsewhere)

    def instance(self, node: ast.expr, frame: Frame, role: Role) -> Binding | None:
        """The construction behind an expression of this role, where the file shows it."""
        for binding in self.resolver.resolve(node, frame.scope):
            if self.resolver.role(binding) is role and isinstance(binding.node, ast.Call):
                return binding
        if isinstance(node, ast.Name) and node.id in frame.arguments:
            argument, caller = frame.arguments[node.id]
            return self.instance(argument, caller, role)
        return None


def argument(call: ast.Call, keyword: str, position: int | None = None) -> ast.expr | None:
    """A call's argument by keyword, else by position."""
    for candidate in call.keywords:
        if candidate.arg == keyword:
            return candidate.value
    if position is not None and position < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args):
        return call.args[position]
    return None


__all__ = ["NOTHING", "Roles", "argument", "parameters"]
