"""When a scaler does anything: `GradScaler(enabled=...)` as the frame that uses it can follow it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ampfix.lint.resolve import Resolver
from ampfix.lint.rewriting import Substitute
from ampfix.lint.roles import Roles, argument
from ampfix.lint.scopes import FUNCTIONS, parameters
from ampfix.lint.signatures import given_to
from ampfix.program import AllOf, Always, AnyOf, Binding, Condition, Role
from ampfix.program.tree import unparsed, walk

if TYPE_CHECKING:
    from ampfix.lint.frames import Frame, Namer


class Switches:
    """Answers one question of a namer, which keeps what was rewritten for it."""

    def __init__(self, namer: Namer, resolver: Resolver, roles: Roles, kept: list[ast.expr]) -> None:
        self._namer, self._resolver, self._roles, self._kept = namer, resolver, roles, kept

    def of(self, node: ast.expr, frame: Frame) -> Condition | None:
        """When a scaler is on; None where that is not seen."""
        node = self._namer.meant(node, frame)
        passed = frame.passed(node)
        if passed is not None and isinstance(passed[0], (ast.Name, ast.Attribute)):
            return self.of(*passed)  # its test is told where it can be named
        built = self._roles.instances(node, frame, Role.SCALER)
        holder = node.value if isinstance(node, ast.Attribute) else None
        switches = [self._enabled(binding, frame, holder) for binding in built]
        if not switches or any(switch is None for switch in switches):
            return None
        if all(switch == switches[0] for switch in switches):
            return switches[0]
        ways = []
        for binding, switch in zip(built, switches, strict=True):
            guard = Always(True) if binding.guard is None else self._there(binding.guard, binding, frame, holder)
            if guard is None or switch is None:
                return None
            ways.append(AllOf((guard, switch)))
        return AnyOf(tuple(ways))

    def _enabled(self, binding: Binding, frame: Frame, holder: ast.expr | None) -> Condition | None:
        assert isinstance(binding.node, ast.Call)
        enabled = argument(binding.node, "enabled", 4 if binding.symbol.startswith(("torch.cuda", "torch.cpu")) else 5)
        return Always(True) if enabled is None else self._there(enabled, binding, frame, holder)

    def _there(self, test: ast.expr, binding: Binding, frame: Frame, holder: ast.expr | None) -> Condition | None:
        """A test from where something is constructed; a helper's parameters are what its call hands it."""
        found = self._namer.foreign(test, binding.scope, frame, holder=holder)
        if found is not None or binding.built is None or not isinstance(binding.scope.node, FUNCTIONS):
            return found
        call, scope = binding.built
        names = [parameter.arg for parameter in parameters(binding.scope.node)]
        replacements = given_to(names[names[:1] == [binding.scope.self_name()] :], call)
        handed = Substitute(replacements).visit(ast.parse(unparsed(test), mode="eval").body)
        left = {node.id for node in walk(handed) if isinstance(node, ast.Name)} & (set(names) - set(replacements))
        self._kept.append(handed)
        return None if left else self._namer.foreign(handed, scope, frame)
