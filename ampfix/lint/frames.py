"""One function being lowered: how its names map to canonical names, and how its tests become conditions."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ampfix.lint.conditions import choice_of, is_test, is_truth_of, negate, there
from ampfix.lint.constants import number
from ampfix.lint.dtypechoice import DtypeChoices
from ampfix.lint.names import Names
from ampfix.lint.resolve import Resolver
from ampfix.lint.rewriting import from_attributes
from ampfix.lint.roles import Roles
from ampfix.lint.scopes import Scope
from ampfix.lint.switches import Switches
from ampfix.lint.truths import is_made
from ampfix.lint.usage import dotted
from ampfix.patterns import pattern
from ampfix.program import AllOf, Always, AnyOf, Atom, Block, Condition, Form, Not, Role, Site
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass, field, replace

if TYPE_CHECKING:
    from ampfix.lint.fields import Fields

YIELD = "yield"
_ALIAS_DEPTH = 6
_NEGATED = {ast.NotEq: ast.Eq, ast.IsNot: ast.Is, ast.NotIn: ast.In, ast.LtE: ast.Gt, ast.Lt: ast.GtE}


_NUMBER = pattern(r"\[[A-Za-z_]\w*\]")


@dataclass
class Frame:
    """A call in progress.

    bindings: local root name -> canonical path. arguments: parameter -> what the caller passed. prefix: marks other
    locals. fields: attribute of self -> what its constructor was given for it. bodies: what calling a parameter runs,
    where that is the function a decorator wraps; YIELD: the body of the `with` that a generator stands for. left: what
    happens when an ExitStack in progress ends. paths: canonical names found so far, for these bindings and this scope.
    """

    scope: Scope
    bindings: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, tuple[ast.expr, Frame]] = field(default_factory=dict)
    prefix: str = ""
    call: Site | None = None
    closure: Frame | None = None
    depth: int = 0
    tests: tuple[str, ...] = ()
    loops: tuple[int, ...] = ()
    statement: ast.stmt | None = None
    fields: Mapping[str, tuple[ast.expr, Frame]] = field(default_factory=dict)
    bodies: Mapping[str, Block] = field(default_factory=dict)
    left: Mapping[str, list[Block]] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    def passed(self, node: ast.expr) -> tuple[ast.expr, Frame] | None:
        """What a parameter, or an attribute that the constructor set from one, was given: the expression, its frame."""
        if isinstance(node, ast.Name):
            return self.arguments.get(node.id) if len(self.scope.names.get(node.id, ())) == 1 else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == self.scope.self_name():
                return self.fields.get(node.attr)
            if node.value.id in self.arguments:
                value, frame = self.arguments[node.value.id]
                return ast.copy_location(ast.Attribute(value, node.attr, ast.Load()), node), frame
        return None

    @property
    def qualname(self) -> str:
        return self.scope.qualname or "<module>"


class Namer:
    """Canonical names and conditions of one module."""

    def __init__(self, resolver: Resolver, fields: Fields, roles: Roles) -> None:
        self._resolver, self.fields, self._roles = resolver, fields, roles
        self._dtypes = DtypeChoices(resolver, roles.handed)
        self._globals: dict[tuple[str, Scope], str] = {}
        # Both kept alive: the resolver knows expressions by their identity.
        self._rewritten: dict[tuple[ast.expr, Scope, str, Scope], ast.expr] = {}
        self._handed: list[ast.expr] = []

    def canonical(self, node: ast.expr, frame: Frame) -> str | None:
        """The path of a name as the outermost function would write it; None where the expression has no path."""
        path = dotted(node)
        if path is None:
            return None
        known = frame.paths.get(path)
        if known is None:
            known = frame.paths[path] = self._path(path, frame, 0)
        return known

    def _path(self, path: str, frame: Frame, depth: int) -> str:
        cut = next((i for i, character in enumerate(path) if character in ".["), len(path))
        root, rest = path[:cut], _numbered(path[cut:], frame)
        behind = self._behind(root, rest, frame) if rest.startswith(".") and depth < _ALIAS_DEPTH else None
        if behind is not None:
            return self._path(*behind, depth + 1)
        return self._root(root, frame, depth) + rest

    def _behind(self, root: str, rest: str, frame: Frame) -> tuple[str, Frame] | None:
        """An attribute that only passes on what a constructor or a caller gave: that path, and the frame it is in."""
        given = frame.arguments.get(root)
        if given is None:
            given, rest = self.fields.behind(root, rest, frame)
        path = None if given is None else dotted(given[0])
        return None if given is None or path is None else (path + rest, given[1])

    def _root(self, root: str, frame: Frame, depth: int) -> str:
        if root in frame.bindings:
            return frame.bindings[root]
        if root == frame.scope.self_name():
            return root
        if root in frame.scope.names and frame.scope.is_function:
            value = self._value_of(root, frame)
            if value is not None and depth < _ALIAS_DEPTH:
                alias = dotted(self._chosen(root, frame, depth) or value)
                if alias is not None and alias.partition(".")[0] != root:
                    return self._path(alias, frame, depth + 1)
            return frame.prefix + root
        if frame.closure is not None:
            return self._root(root, frame.closure, depth)
        return self._global(root, frame.scope)

    def _global(self, name: str, scope: Scope) -> str:
        """A name of a module: as it is in the checked file, marked by its own file elsewhere."""
        key = (name, scope.root())
        if key not in self._globals:
            self._globals[key] = name  # where imports go in a circle
            self._globals[key] = self._resolver.home(name, scope)
        return self._globals[key]

    def names_here(self, frame: Frame) -> Mapping[str, str]:
        """Canonical root -> how the function writes it, for every root it can reach. Found out when first asked."""
        return Names(self, frame)

    def reachable(self, frame: Frame) -> dict[str, str]:
        """What `names_here` holds."""
        found: dict[str, str] = {}
        for scope in reversed(list(frame.scope.chain())):
            for name in scope.names if not scope.is_class else ():
                found[self._root(name, frame, _ALIAS_DEPTH)] = name
        found.update({canonical: name for name, canonical in frame.bindings.items()})
        if (self_name := frame.scope.self_name()) is not None:
            found[self._root(self_name, frame, 0)] = self_name
        return found

    # conditions

    def condition(self, test: ast.expr, frame: Frame) -> Condition:
        """The test with its atoms made canonical: presence, negation and single-use flags unfolded."""
        return self._condition(test, frame, 0)

    def _condition(self, test: ast.expr, frame: Frame, depth: int) -> Condition:
        constant = test if isinstance(test, ast.Constant) else self._constant(test, frame)
        if constant is not None:
            return Always(bool(constant.value))
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return negate(self._condition(test.operand, frame, depth))
        if isinstance(test, ast.BoolOp):
            operands = tuple(self._condition(value, frame, depth) for value in test.values)
            return AllOf(operands) if isinstance(test.op, ast.And) else AnyOf(operands)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return self._compare(test, frame, depth)
        if isinstance(test, ast.Call) and is_truth_of(test):
            return self._condition(test.args[0], frame, depth)
        if isinstance(test, ast.Call) and isinstance(test.func, ast.Attribute) and test.func.attr == "is_enabled":
            return self.switch(test.func.value, frame) or self.atom(test, frame)
        return self._unfold(test, frame, depth) or self.atom(test, frame)

    def _compare(self, test: ast.Compare, frame: Frame, depth: int) -> Condition:
        operator, right, left = test.ops[0], test.comparators[0], self.meant(test.left, frame)
        if isinstance(right, ast.Constant) and right.value == 0 and self._is_every_turn(test.left, frame):
            return Always(isinstance(operator, (ast.Eq, ast.GtE, ast.LtE)))
        if isinstance(operator, (ast.Eq, ast.Is)) and self._dtypes.never(test.left, right, frame.scope):
            return Always(False)
        if isinstance(right, ast.Constant) and isinstance(operator, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)):
            positive = isinstance(operator, (ast.Is, ast.Eq))
            constant = self._constant(left, frame)
            if constant is not None:
                same = constant.value is right.value or constant.value == right.value
                return Always(same == positive)
            if right.value is None:
                made = is_made(left, frame, self._resolver)
                presence = Always(True) if made else self._condition(left, frame, depth)
                return negate(presence) if positive else presence
            if isinstance(right.value, bool):
                truth = self._condition(test.left, frame, depth)
                return truth if positive == right.value else negate(truth)
        if isinstance(right, ast.Constant) and right.value == 1 and isinstance(operator, (ast.Gt, ast.LtE)):
            single = self.atom(ast.Compare(test.left, [ast.Eq()], test.comparators), frame)  # a count is at least 1
            return single if isinstance(operator, ast.LtE) else Not(single)
        for negated, plain in _NEGATED.items():
            if isinstance(operator, negated):
                return Not(self.atom(ast.Compare(test.left, [plain()], test.comparators), frame))
        return self.atom(test, frame)

    def _is_every_turn(self, node: ast.expr, frame: Frame) -> bool:
        """`i % 1`, which is always zero: a window of one batch, as a constant of the file has it."""
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mod):
            return False
        given = self._constant(node.right, frame)
        values = (
            [(given, frame.scope)] if given is not None else self._roles.handed.expressions(node.right, frame.scope)
        )
        return all(number(*value) == 1 for value in values)

    def _constant(self, node: ast.expr, frame: Frame) -> ast.Constant | None:
        """The constant that a call gave a parameter which nothing changes."""
        passed = frame.passed(node) if isinstance(node, ast.Name) else None
        value, caller = passed or (None, frame)
        return value if value is None or isinstance(value, ast.Constant) else self._constant(value, caller)

    def _unfold(self, test: ast.expr, frame: Frame, depth: int) -> Condition | None:
        """A flag stands for the expression it was set to; an optional scaler for the test it was built under."""
        if depth >= _ALIAS_DEPTH or not isinstance(test, (ast.Name, ast.Attribute)):
            return None
        meant = self.meant(test, frame)
        if meant is not test:
            return self._condition(there(meant), frame, depth + 1)
        flag = self._flag_value(test, frame)
        if flag is not None:
            return self._condition(flag[0], flag[1], depth + 1)
        passed = frame.passed(test)
        if passed is not None and is_test(passed[0], ""):
            return self._condition(*passed, depth + 1)
        handed = passed and self._unfold(*passed, depth + 1)
        if handed:
            return handed
        if self._resolver.is_idle(test, frame.scope):
            return None  # a flag of another file, and no scaler
        bindings = self._resolver.resolve(test, frame.scope)
        built = [binding for binding in bindings if self._resolver.role(binding) is Role.SCALER]
        if not built or not any(binding.form is Form.NONE for binding in bindings):
            return None
        guard, holder = built[0].guard, test.value if isinstance(test, ast.Attribute) else None
        return self.foreign(guard, built[0].scope, frame, depth + 1, holder) if guard is not None else None

    def _flag_value(self, test: ast.expr, frame: Frame) -> tuple[ast.expr, Frame] | None:
        value = self._value_of(test.id, frame) if isinstance(test, ast.Name) else None
        return (value, frame) if value is not None and is_test(value, getattr(test, "id", "")) else None

    def foreign(
        self, test: ast.expr, scope: Any, frame: Frame, depth: int = 0, holder: ast.expr | None = None
    ) -> Condition | None:
        """A test written in another scope (a constructor), in terms this frame can follow; None where it cannot.

        holder: the object whose constructor that is, where it is not the one whose method the frame runs.
        """
        if scope is frame.scope or not isinstance(scope, Scope) or isinstance(test, ast.Constant):
            return self._condition(test, frame, depth)
        if not scope.is_function:
            return self._condition(test, replace(frame, scope=scope, bindings={}, paths={}), depth)
        if scope in list(frame.scope.chain()):
            return self._condition(test, _outer(scope, frame), depth)
        owner, here = scope.owner_class(), frame.scope.owner_class()
        self_name = frame.scope.self_name() or "self"
        if owner is None or here is None or owner not in self._resolver.ancestry(here):
            if owner is None or holder is None or not self._is_of(holder, owner, frame):
                return None
            self_name = unparsed(holder)
        key = (test, scope, self_name, frame.scope.root())
        if key not in self._rewritten:
            homes = self._homes(scope) if scope.root() is not key[3] else {}
            self._rewritten[key] = from_attributes(test, scope, self_name, owner, homes)
        rewritten = self._rewritten[key]
        local = {node.id for node in walk(rewritten) if isinstance(node, ast.Name)} & set(scope.names)
        if local - {scope.self_name()}:
            return None
        return self._condition(rewritten, frame, depth)

    def _homes(self, scope: Scope) -> dict[str, ast.expr]:
        """The names of another module, as its own functions are shown to write them."""
        return {name: ast.Name(self._global(name, scope), ast.Load()) for name in scope.root().names}

    def _is_of(self, holder: ast.expr, owner: Scope, frame: Frame) -> bool:
        held = (one for one in self._roles.held(holder, frame) if one.form is Form.OBJECT)
        classes = (self._resolver.scope_of(one.node) for one in held)
        return any(owner in self._resolver.ancestry(one) for one in classes)

    def switch(self, node: ast.expr, frame: Frame) -> Condition | None:
        """`GradScaler(enabled=...)`: when a scaler does anything; None where that is not seen."""
        return Switches(self, self._resolver, self._roles, self._handed).of(node, frame)

    def meant(self, node: ast.expr, frame: Frame) -> ast.expr:
        """What a name stands for that is set to one of two things; any other expression itself."""
        chosen = self._chosen(node.id, frame, 0) if isinstance(node, ast.Name) else None
        return node if chosen is None else chosen

    def _chosen(self, name: str, frame: Frame, depth: int) -> ast.expr | None:
        """The scaler or optimizer that a name set to `scaler if scaler is not None else self.scaler` stands for; where
        that is open, the preferred one."""
        value = self._value_of(name, frame) if depth < _ALIAS_DEPTH else None
        choice = None if value is None else choice_of(value)
        if choice is None or not choice.is_of_state:
            return None
        holds = self._condition(choice.test, frame, depth + 1)
        if isinstance(holds, Always):
            return choice.body if holds.value else choice.orelse
        return choice.preferred

    def _value_of(self, name: str, frame: Frame) -> ast.expr | None:
        """The one expression that a local name is set to."""
        definitions = frame.scope.names.get(name, ()) if frame.scope.is_function else ()
        if name in frame.bindings or len(definitions) != 1 or definitions[0].item is not None:
            return None
        return definitions[0].value

    def atom(self, test: ast.expr, frame: Frame) -> Atom:
        names: set[str] = set()
        return Atom(ast.unparse(self._renamed(test, frame, names)), frozenset(names))

    def _renamed(self, node: Any, frame: Frame, names: set[str]) -> Any:
        """A copy of an expression with every name in it canonical; notes these names."""
        if isinstance(node, list):
            return [self._renamed(item, frame, names) for item in node]
        if not isinstance(node, ast.AST) or isinstance(node, (ast.expr_context, ast.Constant)):
            return node
        copied = self.fields.copied(node, frame.scope) if isinstance(node, ast.Attribute) else None
        if copied is not None:
            return self._renamed(copied, frame, names)
        path = self.canonical(node, frame) if isinstance(node, (ast.Name, ast.Attribute)) else None
        if path is not None:
            names.add(path)
            return ast.Name(path, ast.Load())
        return type(node)(**{name: self._renamed(getattr(node, name, None), frame, names) for name in node._fields})


def _outer(scope: Scope, frame: Frame) -> Frame:
    """The frame of a function around this one: the call of it in progress, or one under its own names."""
    current = frame.closure
    while current is not None:
        if current.scope is scope:
            return current
        current = current.closure
    return replace(frame, scope=scope, bindings={}, arguments={}, prefix="", paths={})


def _numbered(rest: str, frame: Frame) -> str:
    """What follows a name, with elements instead of the numbers that loops count."""
    for counted in _NUMBER.findall(rest) if "[" in rest else ():
        rest = rest.replace(counted, frame.bindings.get(counted, counted))
    return rest
