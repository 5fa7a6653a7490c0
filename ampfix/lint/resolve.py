"""What a name holds: follows imports, assignments, attributes of self, wrappers and calls, into other files as well.

Flow-insensitive: a name's binding is every value it is given. Whether an absent scaler is possible on a path is decided
by the interpreter, from the guards recorded here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from ampfix.lint.bases import external_bases
from ampfix.lint.classes import linearised
from ampfix.lint.neighbours import Neighbours, is_idle
from ampfix.lint.scopes import FUNCTIONS, Definition, Scope
from ampfix.lint.signatures import default_of, return_tests, returned_values
from ampfix.lint.symbols import PARTIAL, SELF_RETURNING, TRANSPARENT, is_known, role_of_instance
from ampfix.program import Binding, Form, Role
from ampfix.program.spelling import is_super
from ampfix.records import replace

UNKNOWN = Binding(Form.UNKNOWN)
_ITSELF = Binding(Form.UNKNOWN, "itself")  # of `model = model.to(device)`: no further value
_RETURNING = (Form.INSTANCE, Form.OBJECT)
_MAX_DEFINITIONS = 12  # of one name; a name that is set more often means something else each time
_MAX_DEPTH = 12  # longest chain of aliases followed; real code stays below 6


class Resolver:
    """Answers `resolve(expression, scope)` for one checked file and what it reaches."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._scope_of = dict(neighbours.own.scopes.scope_of)
        self._known = {neighbours.own}
        self._views: dict[tuple[Scope, Scope], Scope] = {}
        self._ancestries: dict[Scope, tuple[Scope, ...]] = {}
        self._following: set[tuple[str, object]] = set()
        self._memo: dict[tuple[int, int], tuple[Binding, ...]] = {}
        # What a cycle or the depth cut short holds for the question under way alone.
        self._draft: dict[tuple[int, int], tuple[Binding, ...]] = {}
        self._asked: list[ast.expr] = []  # kept alive: another expression would get the identity of one that is freed
        self._busy: set[tuple[int, int]] = set()
        self._cuts = 0
        self._returns: dict[ast.AST, list[ast.expr]] = {}

    def release(self) -> None:
        """Let go of everything that was found out."""
        for held in (self._scope_of, self._memo, self._draft, self._views, self._returns, self._known):
            held.clear()
        self._ancestries.clear()
        self._asked.clear()

    def scope_of(self, node: ast.AST) -> Scope:
        found = self._scope_of.get(node)
        if found is None:  # of a file that may have been parsed further since it was last asked
            holder = next((file for file in self._known if node in file.scopes.scope_of), self._neighbours.own)
            found = self._scope_of[node] = holder.scopes.scope_of[node]
        return found

    def is_own(self, scope: Scope) -> bool:
        """Whether a scope lies in the checked file itself."""
        return scope.file is self._neighbours.own

    def seen_from(self, method: Scope, receiver: Scope) -> Scope:
        """A method's scope where `self` is an instance of `receiver`."""
        if receiver is method.parent or method.parent is None or not method.parent.is_class:
            return method
        return self._views.setdefault((method, receiver), replace(method, receiver=receiver))

    def ancestry(self, owner: Scope) -> tuple[Scope, ...]:
        """A class and its bases that can be seen, in the order in which attributes are looked up."""
        found = self._ancestries.get(owner) or linearised(owner, self._bases)
        if not self._busy:
            self._ancestries[owner] = found
        return found

    def _bases(self, owner: Scope) -> list[Scope]:
        assert isinstance(owner.node, ast.ClassDef)
        found = (binding for base in owner.node.bases for binding in self.resolve(base, owner.parent or owner))
        return [binding.scope for binding in found if binding.form is Form.CLASS]

    def resolve(self, node: ast.expr, scope: Scope) -> tuple[Binding, ...]:
        """Every value the expression may hold. Never empty: what is not understood is UNKNOWN."""
        key = (id(node), id(scope))
        known = self._memo.get(key) or self._draft.get(key)
        if known is not None:
            return known
        if key in self._busy or len(self._busy) >= _MAX_DEPTH:
            self._cuts += 1
            return (_ITSELF if key in self._busy else UNKNOWN,)
        cuts = self._cuts
        self._busy.add(key)
        self._asked.append(node)
        try:
            found = tuple(self._resolve(node, scope)) or (UNKNOWN,)
            if len(found) > 1:
                found = tuple(one for one in dict.fromkeys(found) if not _is_itself(one)) or (_ITSELF,)
        finally:
            self._busy.discard(key)
        if not self._busy and _is_itself(found[0]):
            found = (UNKNOWN,)
        if self._cuts == cuts or not self._busy:
            self._memo[key] = found
        else:
            self._draft[key] = found
        if not self._busy:
            self._draft.clear()
        return found

    def roles(self, node: ast.expr, scope: Scope) -> set[Role]:
        return {role for binding in self.resolve(node, scope) if (role := self.role(binding)) is not Role.OTHER}

    def role(self, binding: Binding) -> Role:
        """The role of a value: from the symbol it is an instance of, or the local class it is built from."""
        if binding.form is Form.INSTANCE:
            return role_of_instance(binding.symbol)
        if binding.form is Form.OBJECT:
            for base in self.external_bases(binding.node):
                role = role_of_instance(base)
                if role is not Role.OTHER:
                    return role
        return Role.OTHER

    def external_bases(self, node: ast.ClassDef) -> list[str]:
        return external_bases(node, self)

    def symbols(self, node: ast.expr, scope: Scope) -> list[str]:
        """Qualified names of things outside this file that the expression may be."""
        return [binding.symbol for binding in self.resolve(node, scope) if binding.form is Form.SYMBOL]

    def is_idle(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression is a name that imports bring in, and leads to no training code."""
        return is_idle(node, scope, self._neighbours)

    # how each expression resolves

    def _resolve(self, node: ast.expr, scope: Scope) -> Iterator[Binding]:
        if isinstance(node, ast.Name):
            definitions = scope.lookup(node.id)
            yield from self._definitions(definitions)
            if not definitions:
                yield from self._starred(node.id, scope)
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node, scope)
        elif isinstance(node, ast.Call):
            yield from self._call(node, scope)
        elif isinstance(node, ast.IfExp):
            for branch, test in ((node.body, node.test), (node.orelse, ast.UnaryOp(ast.Not(), node.test))):
                for binding in self.resolve(branch, scope):
                    yield binding if binding.guard is not None else replace(binding, guard=test, scope=scope)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self.resolve(value, scope)
        elif isinstance(node, ast.NamedExpr):
            yield from self.resolve(node.value, scope)
        elif isinstance(node, ast.Lambda):
            yield Binding(Form.FUNCTION, "<lambda>", node, self.scope_of(node))
        elif isinstance(node, ast.Constant):
            yield Binding(Form.NONE) if node.value is None else UNKNOWN

    def _definitions(self, definitions: Sequence[Definition]) -> Iterator[Binding]:
        if len(definitions) > _MAX_DEFINITIONS:
            yield UNKNOWN
        for definition in definitions[:_MAX_DEFINITIONS]:
            for binding in self._definition(definition):
                yield self._guarded(binding, definition)

    def _guarded(self, binding: Binding, definition: Definition) -> Binding:
        if binding.guard is not None or not definition.tests:
            return binding
        test, polarity = definition.tests[-1]
        guard = test if polarity else ast.UnaryOp(ast.Not(), test)
        return replace(binding, guard=guard)

    def _definition(self, definition: Definition) -> Iterator[Binding]:
        scope = definition.scope
        assert scope is not None
        node = definition.node
        if definition.symbol:
            yield from self.imported(definition.symbol, scope)
        elif isinstance(node, ast.ClassDef):
            yield Binding(Form.CLASS, node.name, node, self.scope_of(node))
        elif isinstance(node, FUNCTIONS):
            yield Binding(Form.FUNCTION, getattr(node, "name", "<lambda>"), node, self.scope_of(node))
        elif isinstance(node, ast.arg):
            yield from self._parameter(node, scope)
        elif definition.value is not None and definition.item is not None:
            yield from self._item(definition.value, definition.item, scope)
        elif definition.value is not None:
            yield from self.resolve(definition.value, scope)

    def _parameter(self, node: ast.arg, scope: Scope) -> Iterator[Binding]:
        yield Binding(Form.PARAMETER, node.arg, node, scope)
        default = default_of(node, scope.node)
        if default is not None and scope.parent is not None:
            yield from (b for b in self.resolve(default, scope.parent) if b.form is not Form.UNKNOWN)

    def _item(self, value: ast.expr, item: int, scope: Scope) -> Iterator[Binding]:
        """`a, b = make()`: the elements of the tuples a local function returns."""
        if not isinstance(value, ast.Call):
            return
        for function in self.resolve(value.func, scope):
            if function.form is Form.FUNCTION:
                for returned in self.returned(function.node):
                    if isinstance(returned, ast.Tuple) and item < len(returned.elts):
                        yield from self.resolve(returned.elts[item], function.scope)

    def returned(self, function: ast.AST) -> list[ast.expr]:
        """What a function returns."""
        if function not in self._returns:
            self._returns[function] = list(returned_values(function))
        return self._returns[function]

    def _returns_of(self, function: Binding, call: ast.Call, scope: Scope) -> Iterator[Binding]:
        """What a call of a function gives; what it constructs itself, under the test of its `return`."""
        tests = return_tests(function.node)
        for returned in self.returned(function.node):
            test = tests.get(returned)
            for found in self.resolve(returned, function.scope):
                is_built_there = found.form in (Form.INSTANCE, Form.PARTIAL) and found.scope is function.scope
                if is_built_there:
                    found = replace(found, guard=test if found.guard is None else found.guard, built=(call, scope))
                yield found

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Iterator[Binding]:
        if isinstance(node.value, ast.Name) and node.value.id == scope.self_name():
            owner = scope.owner_class()
            assert owner is not None
            yield from self.attribute_of_class(owner, node.attr)
            return
        if is_super(node.value):
            yield from self._attribute_of(self._after(scope), node.attr)
            return
        for base in self.resolve(node.value, scope):
            if base.form is Form.SYMBOL:
                yield from self.imported(f"{base.symbol}.{node.attr}", base.scope or scope)
            elif base.form in (Form.OBJECT, Form.CLASS):
                yield from self.attribute_of_class(self.scope_of(base.node), node.attr)

    def attribute_of_class(self, owner: Scope, name: str) -> Iterator[Binding]:
        """What `self.name` may hold: set in methods, in the class body, or in a base class that can be seen."""
        yield from self._attribute_of(self.ancestry(owner), name)

    def _attribute_of(self, ancestry: Iterable[Scope], name: str) -> Iterator[Binding]:
        for owner in ancestry:
            definitions = [*owner.attributes.get(name, ()), *owner.names.get(name, ())]
            if definitions:
                yield from self._definitions(definitions)
                return

    def _after(self, scope: Scope) -> tuple[Scope, ...]:
        """The classes that `super()` searches here."""
        owner, static = scope.owner_class(), scope.static_class()
        ancestry = self.ancestry(owner) if owner is not None else ()
        return ancestry[ancestry.index(static) + 1 :] if static in ancestry else ()

    # other files

    def imported(self, symbol: str, scope: Scope) -> Iterator[Binding]:
        """What a qualified name stands for: a definition in a file of the project, or something outside it."""
        outside = Binding(Form.SYMBOL, symbol, scope=scope)
        found = None if scope.file is None or is_known(symbol) else self._neighbours.find(symbol, scope.file)
        if found is None:
            yield outside
            return
        file, names = found
        self._known.add(file)
        yield from self._member(file.scopes.root, names, outside) if names else (outside,)

    def home(self, name: str, scope: Scope, depth: int = 0) -> str:
        """The canonical name of a module's name: as written in the checked file, marked by the file that sets it
        elsewhere, through re-exports."""
        root = scope.root()
        if root.file is not None and root.file.puts_off(name):
            return f"{root.file.label}.{name}"
        definitions = root.names.get(name, ())
        if len(definitions) == 1 and definitions[0].symbol and root.file is not None and depth < _MAX_DEPTH:
            plain = self._neighbours.plain_name(definitions[0].symbol, root.file)
            if plain is not None:
                return plain
            found = self._neighbours.find(definitions[0].symbol, root.file)
            if found is None:
                return name
            file, names = found
            if not names:
                return file.label
            return ".".join((self.home(names[0], file.scopes.root, depth + 1), *names[1:]))
        return name if not definitions or root.file is None or self.is_own(root) else f"{root.file.label}.{name}"

    def _member(self, module: Scope, names: tuple[str, ...], outside: Binding) -> Iterator[Binding]:
        key = (names[0], module)
        if key in self._following or len(self._following) >= _MAX_DEPTH:
            self._cuts += 1
            yield UNKNOWN
            return
        self._following.add(key)
        try:
            held = list(self._definitions(module.names.get(names[0], ()))) or list(self._starred(names[0], module))
            for name in names[1:]:
                held = [found for binding in held for found in self._of(binding, name, module)]
        finally:
            self._following.discard(key)
        yield from held or [outside]

    def _of(self, binding: Binding, name: str, scope: Scope) -> Iterator[Binding]:
        if binding.form is Form.SYMBOL:
            yield from self.imported(f"{binding.symbol}.{name}", binding.scope or scope)
        elif binding.form in (Form.OBJECT, Form.CLASS):
            yield from self.attribute_of_class(self.scope_of(binding.node), name)

    def _starred(self, name: str, scope: Scope) -> Iterator[Binding]:
        """What `from module import *` brings, as far as the module can be seen."""
        for definition in scope.root().names.get("*", ()):
            found = list(self.imported(definition.symbol.removesuffix("*") + name, scope.root()))
            if any(binding.form is not Form.SYMBOL for binding in found):
                yield from found
                return
        if name == "torch":
            yield Binding(Form.SYMBOL, name)  # of a text that leaves the import to a cell that runs before it

    def _call(self, node: ast.Call, scope: Scope) -> Iterator[Binding]:
        if isinstance(node.func, ast.Attribute) and node.func.attr in SELF_RETURNING:
            held = self.resolve(node.func.value, scope)
            returning = [one for one in held if one.form in _RETURNING or _is_itself(one)]
            if returning:
                yield from returning
                return
        for function in self.resolve(node.func, scope):
            if function.form is Form.SYMBOL and function.symbol in PARTIAL and node.args:
                for inner in self.resolve(node.args[0], scope):
                    if inner.form is Form.SYMBOL:
                        yield Binding(Form.PARTIAL, inner.symbol, node, scope)
                    elif inner.form is Form.FUNCTION:
                        yield replace(inner, preset=(node, scope))
            elif function.form is Form.SYMBOL and function.symbol in TRANSPARENT and node.args:
                yield from self.resolve(node.args[-1 if function.symbol == "typing.cast" else 0], scope)
            elif function.form is Form.SYMBOL:
                yield Binding(Form.INSTANCE, function.symbol, node, scope)
            elif function.form is Form.PARTIAL:
                yield Binding(Form.INSTANCE, function.symbol, function.node, function.scope)
            elif function.form is Form.CLASS:
                yield Binding(Form.OBJECT, function.symbol, function.node, function.scope, built=(node, scope))
            elif function.form is Form.FUNCTION:
                yield from self._returns_of(function, node, scope)


def _is_itself(binding: Binding) -> bool:
    return binding.form is Form.UNKNOWN and binding.symbol == _ITSELF.symbol
