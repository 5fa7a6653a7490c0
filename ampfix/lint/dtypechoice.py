"""Which dtypes an expression may hold: through names, tables, helpers, parameters and fields with a default."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ampfix.lint.handed import Handed
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import behind
from ampfix.lint.scopes import FUNCTIONS, Definition, Scope
from ampfix.lint.signatures import default_of
from ampfix.lint.symbols import DTYPES
from ampfix.lint.unpacked import Unpacked
from ampfix.program import Binding, Form
from ampfix.program.spelling import last_name

if TYPE_CHECKING:
    from ampfix.lint.frames import Frame

UNKNOWN = "unknown"
_MAX_DEFINITIONS = 12  # of one name; a name that is set more often means something else each time
_NOT_SEEN = frozenset({UNKNOWN})
_NAMED = frozenset(symbol.rpartition(".")[2] for symbol in DTYPES)
Dtypes = frozenset[str]


class DtypeChoices:
    """Answers for one checked file."""

    def __init__(self, resolver: Resolver, handed: Handed) -> None:
        self._resolver, self._handed = resolver, handed
        self._draft: dict[tuple[int, int], Dtypes] = {}  # of the question under way; nothing where it goes in a circle

    @property
    def unpacked(self) -> Unpacked:
        """Made anew each time: kept, it would refer back in a circle."""
        return Unpacked(self._choices, self._definitions)

    def never(self, node: ast.expr, dtype: ast.expr, scope: Scope) -> bool:
        """Whether an expression can hold nothing that a dtype is: `self.dtype == torch.float16` where that is bfloat16
        or float32."""
        if not isinstance(dtype, ast.Attribute) or dtype.attr not in _NAMED:
            return False
        wanted, held = self.of(dtype, scope), self.of(node, scope)
        return UNKNOWN not in wanted | held and not wanted & held

    def within(self, node: ast.expr, frame: Frame, default: str = UNKNOWN) -> Dtypes:
        """What an expression of a call in progress may hold: a parameter holds what this call hands in."""
        node, frame = behind(node, frame)
        return self.of(node, frame.scope, default)

    def of(self, node: ast.expr, scope: Scope, default: str = UNKNOWN) -> Dtypes:
        """What an expression may hold, "unknown" among it where some of that is not seen. default: for None."""
        key, is_outermost = (id(node), id(scope)), not self._draft
        if key not in self._draft:
            self._draft[key] = frozenset()
            self._draft[key] = self._found(node, scope, default)
        found = self._draft[key]
        if is_outermost:
            self._draft.clear()
            return found or _NOT_SEEN
        return found

    def _found(self, node: ast.expr, scope: Scope, default: str) -> Dtypes:
        found = [self.of(one, there, default) for one, there in self._choices(node, scope)]
        if found:
            return frozenset[str]().union(*found)
        definitions = self._definitions(node, scope)
        if len(definitions) > _MAX_DEFINITIONS:
            return _NOT_SEEN
        if definitions:
            return frozenset[str]().union(*(self._set(one, default) for one in definitions))
        held = [*self._resolver.resolve(node, scope), *self._by_default(node, scope)]
        return frozenset(_named(one, default) for one in held)

    def _choices(self, node: ast.expr, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
        """The expressions that this one gives one of."""
        if isinstance(node, ast.IfExp):
            yield from ((one, scope) for one in (node.body, node.orelse))
        elif isinstance(node, ast.BoolOp):
            yield from ((one, scope) for one in node.values)
        elif isinstance(node, ast.Call) and len(node.args) == 3 and last_name(node.func) == "getattr":
            yield from ((one, scope) for one in node.args[1:])  # `getattr(torch, name, torch.float16)`
        elif isinstance(node, (ast.Subscript, ast.Call)):
            table = list(self._table(node, scope))
            yield from table
            if isinstance(node, ast.Call) and not table:
                yield from self._returned(node.func, scope)

    def _returned(self, callee: ast.expr, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
        for function in self._resolver.resolve(callee, scope):
            if function.form is Form.FUNCTION:
                yield from ((one, function.scope) for one in self._resolver.returned(function.node))

    def _table(self, node: ast.Subscript | ast.Call, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
        """The values of the dict literal that a subscript or `get` reads, also through what is assigned once."""
        holder, defaults = node.value if isinstance(node, ast.Subscript) else None, list[ast.expr]()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            holder, defaults = node.func.value, node.args[1:]
        there = scope
        if isinstance(holder, (ast.Name, ast.Attribute)):
            held = self._definitions(holder, scope)
            holder = held[0].value if len(held) == 1 and held[0].item is None else None
            there = held[0].scope or scope if held else scope
        if isinstance(holder, ast.Dict):
            yield from ((one, there) for one in holder.values)
            yield from ((one, scope) for one in defaults)

    def _definitions(self, node: ast.expr, scope: Scope) -> list[Definition]:
        """What a name, or an attribute of self, is set to."""
        if isinstance(node, ast.Name):
            return scope.lookup(node.id)
        owner = scope.owner_class()
        if owner is None or not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return []
        if node.value.id != scope.self_name():
            return []
        holders = self._resolver.ancestry(owner)
        found = ([*one.attributes.get(node.attr, ()), *one.names.get(node.attr, ())] for one in holders)
        return next((several for several in found if several), [])

    def _set(self, definition: Definition, default: str) -> Dtypes:
        scope = definition.scope
        assert scope is not None
        if definition.value is not None and definition.item is None:
            return self.of(definition.value, scope, default)
        if definition.value is not None:
            return self._element(definition.value, definition.item or 0, scope, default)
        if isinstance(definition.node, ast.arg):
            return self._parameter(definition.node, scope, default)
        held = self._resolver.imported(definition.symbol, scope) if definition.symbol else ()
        return frozenset(_named(one, default) for one in held) or _NOT_SEEN

    def _element(self, value: ast.expr, item: int, scope: Scope, default: str) -> Dtypes:
        """`dtype, scaled = pick()`: the elements of what a helper returns, or of what a choice gives."""
        found = [
            self.of(one.elts[item], there, default)
            if isinstance(one, ast.Tuple) and item < len(one.elts)
            else _NOT_SEEN
            for one, there in self._choices(value, scope)
        ]
        return frozenset[str]().union(*found) or _NOT_SEEN

    def _parameter(self, node: ast.arg, scope: Scope, default: str) -> Dtypes:
        """What the calls of the file hand in; where they differ, another file's may do so too."""
        preset = default_of(node, scope.node) if isinstance(scope.node, FUNCTIONS) else None
        outer = scope.parent or scope
        otherwise = _NOT_SEEN if preset is None else self.of(preset, outer, default)
        given = [
            otherwise if one is None else self.of(one, there, default)
            for one, there in self._handed.arguments(node, scope)
        ]
        if not given:
            return otherwise | _NOT_SEEN
        return given[0] if len(set(given)) == 1 else _NOT_SEEN.union(*given)

    def _by_default(self, node: ast.expr, scope: Scope) -> Iterator[Binding]:
        """What a field of a parameter holds where nobody sets it: its annotation names a class that says so."""
        for held in self._resolver.resolve(node.value, scope) if isinstance(node, ast.Attribute) else ():
            if held.form is not Form.PARAMETER or held.node.annotation is None or held.scope.parent is None:
                continue
            for kind in self._resolver.resolve(held.node.annotation, held.scope.parent):
                if kind.form is Form.CLASS and isinstance(node, ast.Attribute):
                    yield from self._resolver.attribute_of_class(kind.scope, node.attr)


def _named(binding: Binding, default: str) -> str:
    if binding.form is Form.NONE:
        return default
    return DTYPES.get(binding.symbol, UNKNOWN) if binding.form is Form.SYMBOL else UNKNOWN
