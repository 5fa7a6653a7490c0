"""Tests that tell whether a step was applied, so that what stands under them follows its fate."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.frames import Frame
from ampfix.lint.guards import gives_up_on_gradients, leaves_before, tells_of_a_skip
from ampfix.lint.handed import Handed
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.lint.usage import dotted
from ampfix.program import Form
from ampfix.program.tree import unparsed, walk

_DEPTH = 3  # of names and helpers that hand on what others saw


class SkipReader:
    """Answers for the schedulers of one checked file."""

    def __init__(self, resolver: Resolver, handed: Handed) -> None:
        self._resolver, self._handed = resolver, handed

    def is_guarded(self, frame: Frame) -> bool:
        """Whether the statement in progress only runs where the step was applied, or on gradients that are finite."""
        function, statement = frame.scope.node, frame.statement
        tests = [*frame.tests, *(test for site in (frame.call.way() if frame.call else ()) for test in site.tests)]
        if any(tells_of_a_skip(test) or self._is_shown(test, frame.scope) for test in tests):
            return True
        left = [unparsed(one.test) for one in leaves_before(function, statement)]
        if any("get_scale" in test or self._is_shown(test, frame.scope) for test in left):
            return True
        return gives_up_on_gradients(function, statement)

    def _is_shown(self, test: str, scope: Scope) -> bool:
        """Whether something in a test stands for what shows a skipped step."""
        nodes = walk(ast.parse(test, mode="eval")) if not test.startswith("match ") else ()
        return any(
            self._shows(node, scope, 0) for node in nodes if isinstance(node, (ast.Name, ast.Attribute, ast.Call))
        )

    def _shows(self, node: ast.expr, scope: Scope, depth: int) -> bool:
        """Whether a flag is computed from what shows a skipped step, or set under a test of it; or a helper looks at
        the scale and hands back what it saw: `stepped = step_with(scaler, optimizer)`."""
        if isinstance(node, ast.Call):
            return depth < _DEPTH and any(
                tells_of_a_skip(unparsed(one)) or self._shows(one, inside, depth + 1)
                for one, inside in self._handed_back(node, scope)
            )
        return any(
            tells_of_a_skip(unparsed(one)) or (isinstance(one, ast.Call) and self._shows(one, scope, depth))
            for one in _set_to(node, scope)
        )

    def _handed_back(self, call: ast.Call, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
        found = [*self._resolver.resolve(call.func, scope)]
        if isinstance(call.func, ast.Attribute):
            owners = (self._resolver.scope_of(one.node) for one in self._handed.objects(call.func.value, scope))
            found += [one for owner in owners for one in self._resolver.attribute_of_class(owner, call.func.attr)]
        for one in found:
            for returned in self._resolver.returned(one.node) if one.form is Form.FUNCTION else ():
                yield returned, one.scope


def _set_to(flag: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """What a name, or an attribute of self, is set to, and the tests around that."""
    if isinstance(flag, ast.Name):
        definitions = scope.lookup(flag.id)
    else:
        owner = scope.owner_class()
        of_self = isinstance(flag, ast.Attribute) and dotted(flag.value) == scope.self_name()
        definitions = owner.attributes.get(flag.attr, []) if owner is not None and of_self else []  # type: ignore[attr-defined]
    yield from (definition.value for definition in definitions if definition.value is not None)
    yield from (test for definition in definitions for test, _ in definition.tests)
