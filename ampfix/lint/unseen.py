"""Whether code that is not understood may do what a violation says is missing, so that it is told as a guess.

What hands on the scaler, the optimizer or the object that holds them to a function that cannot be read hides what that
does with them. So does a closure over them that something keeps and calls when it likes: that is `ampfix.lint.escapes`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ampfix.lint.escapes import lets_out
from ampfix.lint.frames import Frame
from ampfix.lint.neighbours import Neighbours
from ampfix.lint.project import NEVER_LOCAL
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import Roles
from ampfix.lint.scopes import FUNCTIONS, Scope, parameters
from ampfix.lint.symbols import PARTIAL
from ampfix.lint.usage import dotted, is_harmless, names_optimizers
from ampfix.patterns import pattern
from ampfix.program import Binding, Form, Occurrence, Role, Site
from ampfix.program.spelling import last_name
from ampfix.program.tree import walk
from ampfix.protocol import EventKind, Violation
from ampfix.rules._shapes import handed_in, own

_MAX_DEPTH = 3  # functions of the project that hand on what they are handed
_MISSING = {
    Violation.CLIP_WHILE_SCALED: "unscale_",
    Violation.READ_WHILE_SCALED: "unscale_",
    Violation.EDIT_WHILE_SCALED: "unscale_",
    Violation.SCRUB_WHILE_SCALED: "unscale_",
    Violation.RAW_STEP_ON_SCALED: "step",
    Violation.UPDATE_WITHOUT_STEP: "step",
    Violation.MISSING_UPDATE: "update",
    Violation.UNSCALE_TWICE: "update",
    Violation.SKIP_WITHOUT_UPDATE: "update",
}
"""The call of a scaler that would prevent it."""
_BEHIND_STEPS = (EventKind.SCALER_STEP, EventKind.UNSCALE)
_BEHIND_BACKWARD = (EventKind.BACKWARD,)
_DEFINED = (Form.FUNCTION, Form.CLASS, Form.OBJECT)
_STATE = (Role.SCALER, Role.OPTIMIZER)
# What only stores or shows state, by its name.
_KEEPING = pattern(r"load|sav|resum|restor|check|ckpt|state|log|print|count|summar|info|wandb|param", re.IGNORECASE)
_SCHEDULING = pattern(r"(^|_)lr(_|$)|sche?d|warm|anneal|^append$", re.IGNORECASE)
_COLLECTIONS = (ast.Tuple, ast.List, ast.Dict)
_OF_COLLECTIONS = frozenset({"get", "items", "keys", "values", "append", "extend", "copy"})
_LOOKING = frozenset({"isinstance", "len", "print", "type", "id", "hasattr", "getattr", "setattr", "enumerate", "zip"})


class Unseen:
    """Answers for the violations of one checked file."""

    def __init__(self, resolver: Resolver, roles: Roles, neighbours: Neighbours) -> None:
        self._resolver, self._roles, self._neighbours = resolver, roles, neighbours

    def may_prevent(self, occurrence: Occurrence) -> bool:
        """Whether something on the way to a violation may do what is missing without showing it."""
        if occurrence.broken.violation is Violation.FP16_WITHOUT_SCALER:
            return self._may_scale(occurrence)
        missing = _MISSING.get(occurrence.broken.violation)
        if missing is None:
            return False
        if any(self._hands_over(call, scope) for call, scope in self._between(occurrence, missing)):
            return True
        around = list(self._functions(occurrence))
        return any(lets_out(function, scope, missing) for function, scope in around) or any(
            self._gives_away(call, scope) for function, scope in around for call in _calls(function)
        )

    def _may_scale(self, occurrence: Occurrence) -> bool:
        """Whether the optimizer, or the loss on entering a context, was handed to code that may scale the loss."""
        loss = occurrence.do.subject
        for function, scope in self._functions(occurrence):
            if any(self._gives_away(call, scope, Role.OPTIMIZER) for call in _calls(function)):
                return True
            entered = (node.context_expr for node in own(function) if isinstance(node, ast.withitem))
            calls = (one for one in entered if isinstance(one, ast.Call) and loss)
            if any(loss in map(dotted, handed_in(one)) and not self._is_library(one.func, scope) for one in calls):
                return True
        return False

    # where

    def _functions(self, occurrence: Occurrence) -> Iterator[tuple[ast.AST, Scope]]:
        """The functions that the event lies in, from the inside out, and the constructors of their classes."""
        for path, function in _passed(occurrence.do.site):
            found = self._neighbours.function(path, function)
            if found is None:
                continue
            yield found
            owner = found[1].owner_class()
            for made in self._resolver.attribute_of_class(owner, "__init__") if owner is not None else ():
                if made.form is Form.FUNCTION and made.node is not found[0]:
                    yield made.node, made.scope

    def _between(self, occurrence: Occurrence, missing: str) -> Iterator[tuple[ast.Call, Scope]]:
        """The calls that run between the event behind which something is missing and the one that is wrong."""
        begins = _BEHIND_STEPS if missing == "update" else _BEHIND_BACKWARD
        begun = next((do for do in reversed(occurrence.before) if do.event.kind in begins), None)
        starts = {} if begun is None else _passed(begun.site)
        ends = _passed(occurrence.do.site)
        for key in starts.keys() | ends.keys():
            found = self._neighbours.function(*key)
            for call in _calls(found[0]) if found is not None else ():
                if found is not None and _lies_between(call.lineno, starts.get(key), ends.get(key)):
                    yield call, found[1]

    # what

    def _hands_over(self, call: ast.Call, scope: Scope, depth: int = 0, held: frozenset[str] = frozenset()) -> bool:
        """Whether a call hands state, or what holds it, to code that is not understood. held: parameters with it."""
        function = call.func
        if self._is_event(call, scope) or self._only_looks(call, scope):
            return False
        reaches = any(self._holds(one, scope, held) for one in handed_in(call))
        if isinstance(function, ast.Call):  # getattr(self, name)()
            picked = any(self._holds(one, scope, held) for one in handed_in(function))
            return (reaches or picked) and not self._defined(function.func, scope)
        if isinstance(function, ast.Subscript):  # self.phases[name]()
            return reaches or self._holds(function.value, scope, held)
        is_method_of_it = isinstance(function, ast.Attribute) and self._holds(function.value, scope, held)
        if not reaches and not is_method_of_it:
            return isinstance(function, ast.Attribute) and self._was_given(function.value, scope)
        defined = self._defined(function, scope)
        if defined:
            inside = (one for one in defined if one.form is Form.FUNCTION and depth < _MAX_DEPTH)
            return any(self._hands_on(call, scope, one, depth, held) for one in inside)
        name = last_name(function)
        if name in _OF_COLLECTIONS and not reaches:
            return False
        return not (is_harmless(name) or _KEEPING.search(name) or self._is_library(function, scope))

    def _hands_on(self, call: ast.Call, scope: Scope, to: Binding, depth: int, held: frozenset[str]) -> bool:
        """Whether a function of the project hands on what a call hands it."""
        names = [one.arg for one in parameters(to.node)] if isinstance(to.node, FUNCTIONS) else []
        names = names[names[:1] == [to.scope.self_name()] :]
        given = [*zip(names, call.args, strict=False), *((word.arg, word.value) for word in call.keywords if word.arg)]
        inside = frozenset(name for name, value in given if self._holds(value, scope, held))
        return any(self._hands_over(one, to.scope, depth + 1, inside) for one in _calls(to.node))

    def _gives_away(self, call: ast.Call, scope: Scope, role: Role = Role.SCALER) -> bool:
        """Whether a call hands a scaler, or an optimizer, to code that is not understood, which may keep it."""
        given = (one for one in handed_in(call) if dotted(one))
        if not any(self._roles.of(one, Frame(scope)).role is role for one in given):
            return False
        made = {self._resolver.role(one) for one in self._resolver.resolve(call, scope)}
        if Role.SCHEDULER in made or _SCHEDULING.search(last_name(call.func)):
            return False
        if self._is_event(call, scope) or self._only_looks(call, scope) or _KEEPING.search(last_name(call.func)):
            return False
        symbols = self._resolver.symbols(call.func, scope)
        is_bound = any(symbol in PARTIAL for symbol in symbols)
        return is_bound or not (self._defined(call.func, scope) or self._is_library(call.func, scope))

    def _was_given(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an object of a class that cannot be read was made with a scaler, or with what holds it."""
        made = [one for one in self._resolver.resolve(node, scope) if one.form is Form.INSTANCE]
        return any(
            isinstance(one.node, ast.Call)
            and one.symbol.partition(".")[0] not in NEVER_LOCAL
            and self._resolver.role(one) is Role.OTHER
            and any(self._is_scaler_or_self(part, one.scope) for part in handed_in(one.node))
            for one in made
        )

    def _is_scaler_or_self(self, node: ast.expr, scope: Scope) -> bool:
        if isinstance(node, ast.Name) and node.id == scope.self_name():
            return True
        return dotted(node) is not None and self._roles.of(node, Frame(scope)).role is Role.SCALER

    def _is_event(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call is a method of a scaler, an optimizer or a scheduler."""
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        return receiver is not None and self._roles.of(receiver, Frame(scope)).role is not Role.OTHER

    def _only_looks(self, call: ast.Call, scope: Scope) -> bool:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        return name in _LOOKING and not scope.lookup(name)

    def _defined(self, function: ast.expr, scope: Scope) -> list[Binding]:
        """The functions and classes of the project that a call runs."""
        return [one for one in self._resolver.resolve(function, scope) if one.form in _DEFINED]

    def _is_library(self, function: ast.expr, scope: Scope) -> bool:
        """Whether a function is one of torch, of the standard library, or of others that keep nothing."""
        return any(one.partition(".")[0] in NEVER_LOCAL for one in self._resolver.symbols(function, scope))

    def _holds(self, node: ast.expr, scope: Scope, held: frozenset[str]) -> bool:
        """Whether an expression is a scaler or an optimizer, or something that holds one."""
        node = node.value if isinstance(node, ast.Starred) else node
        if dotted(node) is None:
            return False
        if self._roles.of(node, Frame(scope)).role in _STATE:
            return True
        if not isinstance(node, ast.Name):
            return False
        return node.id in held or self._keeps_state(node.id, scope) or self._is_made_of_state(node.id, scope)

    def _keeps_state(self, name: str, scope: Scope) -> bool:
        """Whether a name has a scaler or an optimizer as an attribute."""
        owner = scope.owner_class()
        if owner is not None and name == scope.self_name():
            return any(
                _names_state(attribute) for one in self._resolver.ancestry(owner) for attribute in one.attributes
            )
        used = (node for node in own(scope.node) if isinstance(node, ast.Attribute) and _names_state(node.attr))
        return any(isinstance(node.value, ast.Name) and node.value.id == name for node in used)

    def _is_made_of_state(self, name: str, scope: Scope) -> bool:
        """Whether a name is set to a list, a dictionary or an object with a scaler or an optimizer in it."""
        values = (one.value for one in scope.names.get(name, ()) if one.value is not None)
        kept = (one for one in values if isinstance(one, _COLLECTIONS) or self._is_construction(one, scope))
        parts = (part for one in kept for part in walk(one) if isinstance(part, (ast.Name, ast.Attribute)))
        return any(dotted(part) and self._roles.of(part, Frame(scope)).role in _STATE for part in parts)

    def _is_construction(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a call may make an object, and is none of a function of the project."""
        if not isinstance(node, ast.Call):
            return False
        return not any(one.form is Form.FUNCTION for one in self._defined(node.func, scope))


def _passed(site: Site) -> dict[tuple[str, str], int]:
    """(file, function) -> the line at which the way to a site passes through it."""
    found: dict[tuple[str, str], int] = {}
    for one in (site.origin or site).way():
        found.setdefault((one.path, one.function), one.span.start.line)
    return found


def _lies_between(line: int, start: int | None, end: int | None) -> bool:
    """Whether a line runs behind one and before another; where the first stands behind the second, in a loop."""
    if start is None or end is None:
        return (start is None or line > start) and (end is None or line < end)
    return start < line < end if start < end else line > start or line < end


def _calls(function: ast.AST) -> Iterable[ast.Call]:
    return (node for node in own(function) if isinstance(node, ast.Call))


def _names_state(name: str) -> bool:
    return "scaler" in name.lower() or names_optimizers(name)
