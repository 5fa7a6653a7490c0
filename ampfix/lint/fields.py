"""Attributes that a constructor only passes on: `self.scaler = scaler` names what the caller handed in."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from ampfix.lint.frames import Frame
from ampfix.lint.resolve import Resolver
from ampfix.lint.rewriting import Substitute
from ampfix.lint.scopes import FUNCTIONS, Definition, Scope, parameters
from ampfix.patterns import pattern
from ampfix.program import Binding, Form
from ampfix.program.tree import unparsed
from ampfix.records import dataclass, field
from ampfix.rules._shapes import placed

Given = Mapping[str, tuple[ast.expr, Frame]]
_NOTHING: Given = {}
_ATTRIBUTE = pattern(r"\.(\w+)")


@dataclass
class Fields:
    """Answers for the objects of one checked file."""

    resolver: Resolver
    _passed_on: dict[Scope, dict[str, str]] = field(default_factory=dict)
    # Kept alive: the resolver knows expressions by their identity.
    _copied: dict[tuple[Scope, str], ast.expr | None] = field(default_factory=dict)

    def of(self, binding: Binding, frame: Frame) -> Given:
        """Attribute -> the expression its constructor was given, in the frame that can name it."""
        if binding.form is not Form.OBJECT or binding.built is None:
            return _NOTHING
        call, scope = binding.built
        there = _frame_for(scope, frame)
        passed_on = self._fields(self.resolver.scope_of(binding.node))
        if there is None or not passed_on:
            return _NOTHING
        given = self._arguments(call, binding)
        return {
            name: (given[parameter], there)
            for name, parameter in passed_on.items()
            if parameter in given and _can_be_named(given[parameter], scope, there)
        }

    def given(self, binding: Binding) -> Iterator[tuple[str, ast.expr]]:
        """Attribute and the expression that the constructor of an object was given for it, where it was built; those
        kept on another device as well."""
        if binding.form is not Form.OBJECT or binding.built is None:
            return
        arguments = self._arguments(binding.built[0], binding)
        for scope in reversed(self.resolver.ancestry(self.resolver.scope_of(binding.node))):
            for name, definitions in scope.attributes.items():
                behind = {_parameter_behind([one], placed) for one in definitions}
                given = [arguments[one] for one in behind if one in arguments]
                if len(given) == 1:
                    yield name, given[0]

    def behind(self, root: str, rest: str, frame: Frame) -> tuple[tuple[ast.expr, Frame] | None, str]:
        """What `root.attribute` or `self.object.attribute` was given, and the rest of the path behind it."""
        name, rest = _first(rest)
        if root == frame.scope.self_name():
            if name in frame.fields:
                return frame.fields[name], rest
            owner = frame.scope.owner_class()
            definitions = owner.attributes.get(name, []) if owner is not None else []
            name, rest = _first(rest)
        else:
            definitions = frame.scope.lookup(root)
        value = definitions[0].value if len(definitions) == 1 else None
        scope = definitions[0].scope if definitions else None
        if not name or not isinstance(value, ast.Call) or scope is None:
            return None, rest
        for binding in self.resolver.resolve(value, scope):
            given = self.of(binding, frame).get(name)
            if given is not None:
                return given, rest
        return None, rest

    def copied(self, node: ast.Attribute, scope: Scope) -> ast.expr | None:
        """The entry of a kept object that an attribute of self was set to, once and for all: `self.cfg.amp` for
        `self.use_amp`."""
        owner, own = scope.owner_class(), scope.self_name()
        if owner is None or own is None or getattr(node.value, "id", "") != own:
            return None
        key = (owner, node.attr)
        if key not in self._copied:
            self._copied[key] = self._copy_of(node.attr, owner, own)
        return self._copied[key]

    def kept_as(self, path: str, scope: Scope) -> Iterator[str]:
        """How methods write what a constructor has under a path: `self.net.head` for `model.head`, kept as `net`."""
        owner = scope.owner_class()
        if owner is None or scope.label != "__init__":
            return
        root, dot, rest = path.partition(".")
        for attribute, parameter in self._fields(owner).items():
            if parameter == root:
                yield f"{scope.self_name()}.{attribute}{dot}{rest}"

    def _copy_of(self, attribute: str, owner: Scope, own: str) -> ast.expr | None:
        found = [one for scope in self.resolver.ancestry(owner) for one in scope.attributes.get(attribute, ())]
        value, there = (found[0].value, found[0].scope) if len(found) == 1 else (None, None)
        if not isinstance(value, (ast.Attribute, ast.Subscript)) or there is None or there.label != "__init__":
            return None
        root: ast.expr = value
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            if isinstance(root, ast.Subscript) and not isinstance(root.slice, ast.Constant):
                return None
            root = root.value
        kept = [name for name, parameter in self._fields(owner).items() if parameter == getattr(root, "id", "")]
        if not kept or not isinstance(root, ast.Name):
            return None
        held = ast.Attribute(ast.Name(own, ast.Load()), kept[0], ast.Load())
        copied: ast.expr = Substitute({root.id: held}).visit(ast.parse(unparsed(value), mode="eval").body)
        return copied

    def _fields(self, owner: Scope) -> dict[str, str]:
        """Attribute -> the parameter of `__init__` that it is set to and nothing else."""
        if owner not in self._passed_on:
            found: dict[str, str] = {}
            for scope in reversed(self.resolver.ancestry(owner)):
                for name, definitions in scope.attributes.items():
                    parameter = _parameter_behind(definitions)
                    if parameter is not None:
                        found[name] = parameter
                    else:
                        found.pop(name, None)
            self._passed_on[owner] = found
        return self._passed_on[owner]

    def _arguments(self, call: ast.Call, binding: Binding) -> dict[str, ast.expr]:
        owner = self.resolver.scope_of(binding.node)
        for found in self.resolver.attribute_of_class(owner, "__init__"):
            if found.form is Form.FUNCTION and isinstance(found.node, FUNCTIONS):
                names = [parameter.arg for parameter in parameters(found.node)][1:]
                starred = any(isinstance(argument, ast.Starred) for argument in call.args)
                given = {} if starred else dict(zip(names, call.args, strict=False))
                return given | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        return {}


def _first(rest: str) -> tuple[str, str]:
    """`.a.b` as (`a`, `.b`); no name where the path goes on by an index or ends."""
    match = _ATTRIBUTE.match(rest)
    return ("", rest) if match is None else (match[1], rest[match.end() :])


def _parameter_behind(
    definitions: list[Definition], bare: Callable[[ast.expr], ast.expr] = lambda value: value
) -> str | None:
    values = [None if definition.value is None else bare(definition.value) for definition in definitions]
    if len(values) != 1 or not isinstance(values[0], ast.Name) or definitions[0].item is not None:
        return None
    scope = definitions[0].scope
    if scope is None or scope.label != "__init__":
        return None
    behind = scope.names.get(values[0].id, ())
    return values[0].id if len(behind) == 1 and isinstance(behind[0].node, ast.arg) else None


def _frame_for(scope: Scope, frame: Frame) -> Frame | None:
    """The frame in which an expression of another scope means what it means there; None where there is none."""
    for candidate in _around(frame):
        if candidate.scope.node is scope.node:
            return candidate
    if scope.parent is None:
        return Frame(scope)
    owner = scope.static_class()
    here = frame.scope.owner_class()
    if owner is not None and owner is here and scope.self_name() == frame.scope.self_name():
        return frame
    outer = [inside.node for inside in frame.scope.chain()]
    return Frame(scope) if scope.node in outer else None


def _can_be_named(node: ast.expr, scope: Scope, there: Frame) -> bool:
    """In a frame of another method only what hangs on self is the same."""
    if there.scope.node is scope.node:
        return True
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id == scope.self_name()


def _around(frame: Frame) -> Iterator[Frame]:
    current: Frame | None = frame
    while current is not None:
        yield current
        current = current.closure
