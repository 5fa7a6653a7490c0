"""What a parameter holds where all calls of its function in the same file hand in one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import FUNCTIONS, Scope, parameters
from ampfix.lint.usage import dotted
from ampfix.program import Binding, Form

_HELD = frozenset({Form.OBJECT, Form.INSTANCE, Form.FUNCTION, Form.SYMBOL, Form.PARTIAL})
_NULL_CONTEXTS = frozenset({"contextlib.nullcontext", "contextlib.suppress"})
_MAX_HOPS = 3  # functions that only pass a parameter on
_MAX_CALLS = 8  # of one function: a helper that is called more often is handed anything


class Handed:
    """Answers for the functions that one checked file reaches."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[ast.arg, tuple[Binding, ...]] = {}

    def region(self, node: ast.expr, scope: Scope) -> tuple[Binding, ...]:
        """What is entered as `node`: `with region:` and `with autocast():` of a parameter are what callers hand in."""
        found = self.of(self._resolver.resolve(node, scope))
        if not isinstance(node, ast.Call) or not all(one.form is Form.UNKNOWN or _is_nothing(one) for one in found):
            return found
        made = self.of(self._resolver.resolve(node.func, scope))
        return tuple(_made(one, node, scope) for one in made if one.form in (Form.SYMBOL, Form.PARTIAL)) or found

    def of(self, bindings: tuple[Binding, ...]) -> tuple[Binding, ...]:
        """The bindings, or what the callers agree on where they are a parameter without a telling default."""
        if not any(one.form is Form.PARAMETER for one in bindings):
            return bindings
        if any(one.form is not Form.PARAMETER and not _is_nothing(one) for one in bindings):
            return bindings
        return self._of(bindings, 0) or bindings

    def objects(self, node: ast.expr, scope: Scope) -> tuple[Binding, ...]:
        """The objects that a parameter, or an attribute set from one, holds: what callers agree on, else what its
        annotation says."""
        held = self._resolver.resolve(node, scope)
        if any(one.form is not Form.PARAMETER and not _is_nothing(one) for one in held):
            return ()
        handed = [one for one in self.of(held) if one.form is Form.OBJECT]
        return tuple(handed or [found for one in held for found in self._annotated(one)])

    def _annotated(self, parameter: Binding) -> Iterator[Binding]:
        around: Scope | None = parameter.scope.parent if parameter.form is Form.PARAMETER else None
        if around is None:
            return
        for kind in _classes_in(parameter.node.annotation):
            for found in self._resolver.resolve(kind, around):
                if found.form is Form.CLASS:
                    yield Binding(Form.OBJECT, found.symbol, found.node, found.scope)

    def _of(self, bindings: tuple[Binding, ...], hops: int) -> tuple[Binding, ...]:
        found = [self._handed(one, hops) if one.form is Form.PARAMETER else (one,) for one in bindings]
        return _agreed([one for several in found for one in several or (Binding(Form.UNKNOWN),)])

    def _handed(self, parameter: Binding, hops: int) -> tuple[Binding, ...]:
        node, scope = parameter.node, parameter.scope
        if hops == _MAX_HOPS:
            return ()
        if node not in self._known:
            self._known[node] = ()  # where functions call each other in a circle
            self._known[node] = self._from_callers(node, scope, hops)
        return self._known[node]

    def _from_callers(self, node: ast.arg, scope: Scope, hops: int) -> tuple[Binding, ...]:
        held: list[Binding] = []
        for given, there in self.arguments(node, scope):
            if given is None:
                return ()
            found = self._resolver.resolve(given, there)
            held += self._of(found, hops + 1) if any(one.form is Form.PARAMETER for one in found) else found
        return _agreed(held)

    def expressions(self, node: ast.expr, scope: Scope, hops: int = 0) -> list[tuple[ast.expr, Scope]]:
        """What a name may stand for: what each call in the file hands in where it is a parameter; else the name."""
        bindings = self._resolver.resolve(node, scope) if isinstance(node, ast.Name) else ()
        if hops == _MAX_HOPS or not any(one.form is Form.PARAMETER for one in bindings):
            return [(node, scope)]
        parameters = [one for one in bindings if one.form is Form.PARAMETER]
        given = [found for one in parameters for found in self.arguments(one.node, one.scope)]
        told = [one for one in bindings if not _is_nothing(one)]
        if len(told) > 1 or not given:
            return [(node, scope)]
        return [
            found
            for argument, there in given
            for found in ([(node, scope)] if argument is None else self.expressions(argument, there, hops + 1))
        ]

    def arguments(self, node: ast.arg, scope: Scope) -> Iterator[tuple[ast.expr | None, Scope]]:
        """What each call in the file hands in for a parameter, None where it is left to its default or not seen."""
        owner, file = scope.parent, scope.file
        if file is None or not isinstance(scope.node, FUNCTIONS):
            return
        is_method = owner is not None and owner.is_class
        name = owner.label if is_method and owner is not None and scope.label == "__init__" else scope.label
        names = [one.arg for one in parameters(scope.node)][is_method:]
        calls = file.calls_to(name)
        for call in calls if len(calls) <= _MAX_CALLS else ():
            there = file.scope_at(call)
            meant = {scope.node, owner.node} if owner is not None and name != scope.label else {scope.node}
            if not any(one.node in meant for one in self._resolver.resolve(call.func, there)):
                continue  # something else of the same name
            yield argument_for(call, node.arg, names), there


def argument_for(call: ast.Call, name: str, names: list[str]) -> ast.expr | None:
    """What a call hands in for a parameter among `names`; None where it leaves it out, or nobody can tell."""
    if any(isinstance(one, ast.Starred) for one in call.args) or any(word.arg is None for word in call.keywords):
        return None
    given = dict(zip(names, call.args, strict=False)) | {word.arg: word.value for word in call.keywords if word.arg}
    return given.get(name)


def _agreed(held: list[Binding]) -> tuple[Binding, ...]:
    """What all say, and that it may be nothing where some say so; none where they differ or one is not understood."""
    told = [one for one in held if not _is_nothing(one)]
    if not told or any(one.form not in _HELD for one in told):
        return ()
    kinds = {(one.form, one.symbol, id(one.node) if one.form is not Form.INSTANCE else 0) for one in told}
    return (told[0], *[one for one in held if _is_nothing(one)][:1]) if len(kinds) == 1 else ()


def _is_nothing(binding: Binding) -> bool:
    """None, or a context that does nothing."""
    return binding.form is Form.NONE or binding.symbol in _NULL_CONTEXTS


def _classes_in(annotation: ast.expr | None) -> Iterator[ast.expr]:
    """The class that an annotation names, be it in quotes or optional."""
    if isinstance(annotation, (ast.Name, ast.Attribute)):
        yield annotation
    elif isinstance(annotation, ast.BinOp):
        yield from _classes_in(annotation.left)
        yield from _classes_in(annotation.right)
    elif isinstance(annotation, ast.Subscript) and (dotted(annotation.value) or "").endswith("Optional"):
        yield from _classes_in(annotation.slice)
    elif isinstance(annotation, ast.Constant) and isinstance(annotation.value, str) and annotation.value.isidentifier():
        yield _name(annotation.value)


@cache
def _name(identifier: str) -> ast.Name:
    """One node for each name: the resolver knows expressions by their identity."""
    return ast.Name(identifier, ast.Load())


def _made(binding: Binding, call: ast.Call, scope: Scope) -> Binding:
    """What calling a symbol makes."""
    if binding.form is Form.PARTIAL:
        return Binding(Form.INSTANCE, binding.symbol, binding.node, binding.scope)
    return Binding(Form.INSTANCE, binding.symbol, call, scope)
