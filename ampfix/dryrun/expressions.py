"""Gives the value of an expression."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from ampfix.dryrun.comparisons import Comparisons
from ampfix.dryrun.containers import Containers
from ampfix.dryrun.state import State, owners_of
from ampfix.dryrun.store import chosen
from ampfix.dryrun.values import (
    HELD,
    NONE,
    UNROLLED,
    Choice,
    Function,
    Items,
    Known,
    Scope,
    Test,
    Thing,
    Value,
)

_COUNTED: dict[type[ast.operator], Callable[[object, object], object]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_MAX_TEXT = 2000


class Expressions:
    """Evaluates expressions. attribute and call are those of the run; name: what a name stands for in a scope."""

    def __init__(
        self,
        state: State,
        name: Callable[[str, Scope], Value],
        attribute: Callable[[Value, str, ast.AST, Scope], Value],
        call: Callable[[Value, list[Value], dict[str, Value], ast.AST, Scope], Value],
        method: Callable[[Value, str, list[Value], dict[str, Value], ast.AST, Scope], Value],
        containers: Containers,
        define: Callable[[ast.AST, Scope], Value],
        assign: Callable[[ast.expr, Value, Scope], None],
    ) -> None:
        self._state, self._store = state, state.store
        self._name, self._attribute, self._call, self._method = name, attribute, call, method
        self._elements, self._items, self._meant = containers.elements, containers.items, containers.meant
        self._define, self._assign = define, assign
        self._comparisons = Comparisons(state, containers.items, self.each, self.decided, self._asked)

    def evaluate(self, node: ast.expr, scope: Scope) -> Value:
        self._state.spend()
        method = getattr(self, f"on_{type(node).__name__.lower()}", None)
        if method is None:
            return self._state.unknown()
        value: Value = method(node, scope)
        return value

    def on_constant(self, node: ast.Constant, scope: Scope) -> Value:
        return Known(node.value)

    def on_name(self, node: ast.Name, scope: Scope) -> Value:
        return self._name(node.id, scope)

    def on_attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        value = self.evaluate(node.value, scope)
        return self.each(value, lambda one: self._attribute(one, node.attr, node, scope))

    def on_call(self, node: ast.Call, scope: Scope) -> Value:
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        function = self.evaluate(node.func.value if isinstance(node.func, ast.Attribute) else node.func, scope)
        args, kwargs, seen = list[Value](), dict[str, Value](), True
        for one in node.args:
            if isinstance(one, ast.Starred):
                held = self._items(self.evaluate(one.value, scope))
                args += [value for _, value in held.entries] if held else []
            else:
                args.append(self.evaluate(one, scope))
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, scope)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            else:
                held = self._items(value)
                for key, given in held.entries if held else ():
                    if isinstance(key, Known) and isinstance(key.value, str):
                        kwargs.setdefault(key.value, given)
                seen = seen and held is not None
        if not seen:
            kwargs.setdefault("**", self._state.unknown())
        if method:
            return self.each(function, lambda one: self._method(one, method, args, kwargs, node, scope))
        return self.each(function, lambda one: self._call(one, args, kwargs, node, scope))

    def each(self, value: Value, use: Callable[[Value], Value]) -> Value:
        """What comes of a value, of each where it is one of several."""
        value = self._store.resolved(value)
        if not isinstance(value, Choice):
            return use(value)
        choice = value
        return self._asked(choice.test, lambda holds: self.each(choice.yes if holds else choice.no, use))

    # truth

    def on_ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        return self.decided(
            self.evaluate(node.test, scope), lambda holds: self.evaluate(node.body if holds else node.orelse, scope)
        )

    def decided(self, value: Value, use: Callable[[bool], Value]) -> Value:
        """What comes of the truth of a value, of both where it is not known."""
        return self._state.decided(value, use, self._asked)

    def _asked(self, test: Test, use: Callable[[bool], Value]) -> Value:
        answer = self._store.answer(test)
        if answer is not None:
            return use(answer)
        with self._store.branch(test, True) as first:
            yes = use(True)
        with self._store.branch(test, False) as second:
            no = use(False)
        self._store.merge(test, first, second)
        return chosen(test, yes, no)

    def on_boolop(self, node: ast.BoolOp, scope: Scope) -> Value:
        return self._joined(node.values, isinstance(node.op, ast.Or), scope)

    def _joined(self, values: list[ast.expr], stop: bool, scope: Scope) -> Value:
        first = self.evaluate(values[0], scope)
        if len(values) == 1:
            return first
        return self.decided(first, lambda holds: first if holds is stop else self._joined(values[1:], stop, scope))

    def on_unaryop(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self.evaluate(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return self.decided(value, lambda holds: Known(not holds))
        if isinstance(node.op, ast.USub) and isinstance(value, Known) and isinstance(value.value, int | float):
            return Known(-value.value)
        return self._state.unknown(owners=owners_of([value]))

    def on_compare(self, node: ast.Compare, scope: Scope) -> Value:
        left = self.evaluate(node.left, scope)
        right = self.evaluate(node.comparators[0], scope)
        for further in node.comparators[1:]:
            self.evaluate(further, scope)
        if len(node.ops) > 1:
            return self._state.unknown()
        return self.each(left, lambda one: self._comparisons.compared(one, node.ops[0], right))

    # numbers, texts and containers

    def on_binop(self, node: ast.BinOp, scope: Scope) -> Value:
        return self.joined(node.op, self.evaluate(node.left, scope), self.evaluate(node.right, scope))

    def joined(self, operation: ast.operator, left: Value, right: Value) -> Value:
        """What an operation gives, of a number, a text or a container and another."""
        count = _COUNTED.get(type(operation))
        if isinstance(left, Known) and isinstance(right, Known) and count is not None:
            try:
                result = count(left.value, right.value)
            except (TypeError, ValueError, ArithmeticError):
                return self._state.unknown()
            return Known(result) if not isinstance(result, str) or len(result) < _MAX_TEXT else self._state.unknown()
        if isinstance(operation, ast.Add | ast.BitOr):
            first, second = self._items(left), self._items(right)
            if first is not None and second is not None:
                return Items((*first.entries, *second.entries), first.whole and second.whole)
        owners = owners_of([left, right])
        if owners:
            return self._state.unknown(owners=owners)
        return self._state.unknown("operation", type(operation), left, right)

    def on_joinedstr(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts = [self.evaluate(one.value, scope) for one in node.values if isinstance(one, ast.FormattedValue)]
        texts = [one.value for one in node.values if isinstance(one, ast.Constant)]
        known = [one.value for one in parts if isinstance(one, Known) and isinstance(one.value, str | int)]
        if len(known) == len(parts) and _is_plain(node):
            left = iter(known)
            joined = (one.value if isinstance(one, ast.Constant) else next(left) for one in node.values)
            return Known("".join(map(str, joined))[:_MAX_TEXT])
        return self._state.unknown("text", *texts, *parts)

    def on_dict(self, node: ast.Dict, scope: Scope) -> Value:
        items = Items()
        for key, given in zip(node.keys, node.values, strict=True):
            value = self.evaluate(given, scope)
            if key is not None:
                items = items.put(self.evaluate(key, scope), value)
                continue
            held = self._items(value)
            for one, inner in held.entries if held else ():
                items = items.put(one, inner)
            items = items if held is not None and held.whole else items.opened()
        return self.container(items, "dict", node, scope)

    def on_list(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
        values, whole = list[Value](), True
        for one in node.elts:
            if isinstance(one, ast.Starred):
                held = self._items(self.evaluate(one.value, scope))
                values += [value for _, value in held.entries] if held else []
                whole = whole and held is not None and held.whole
            else:
                values.append(self.evaluate(one, scope))
        items = Items.listed(values, whole=whole)
        return items if isinstance(node, ast.Tuple) else self.container(items, "list", node, scope)

    on_tuple = on_set = on_list

    def container(self, items: Items, kind: str, node: ast.AST, scope: Scope) -> Thing:
        """A dictionary or a list that may be changed later."""
        thing = Thing(made_by=f"builtins.{kind}", node=node, path=scope.module.path)
        self._store.put(thing, HELD, items)
        return thing

    def on_listcomp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Value:
        inner = Scope(scope.module, scope)
        values = list[Value]()
        whole = self._generated(list(node.generators), inner, lambda: values.append(self.evaluate(node.elt, inner)))
        return self.container(Items.listed(values, whole=whole), "list", node, scope)

    on_setcomp = on_generatorexp = on_listcomp

    def on_dictcomp(self, node: ast.DictComp, scope: Scope) -> Value:
        inner, entries = Scope(scope.module, scope), list[tuple[Value, Value]]()
        whole = self._generated(
            list(node.generators),
            inner,
            lambda: entries.append((self.evaluate(node.key, inner), self.evaluate(node.value, inner))),
        )
        return self.container(Items(tuple(entries), whole), "dict", node, scope)

    def _generated(self, generators: list[ast.comprehension], scope: Scope, use: Callable[[], None]) -> bool:
        if not generators:
            use()
            return True
        generator, *others = generators
        iterable = self.evaluate(generator.iter, scope)
        held = self._items(iterable)
        whole = held is not None and held.whole and not generator.ifs
        for element in self._elements(iterable)[:UNROLLED]:
            self._assign(generator.target, element, scope)
            for test in generator.ifs:
                self.evaluate(test, scope)
            whole = self._generated(others, scope, use) and whole
        return whole

    def on_subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        value = self.evaluate(node.value, scope)
        key = self.evaluate(node.slice, scope) if not isinstance(node.slice, ast.Slice) else None
        if key is None:
            return self.each(value, lambda one: self._item(one, None))
        return self.each(value, lambda one: self.each(key, lambda at: self._item(one, at)))

    def _item(self, value: Value, key: Value | None) -> Value:
        held = self._items(value)
        if held is not None and key is not None:
            found = held.get(_from_the_end(key, held))
            if found is not None:
                return found
            if isinstance(key, Known) or not held.entries:
                return self._state.unknown("item", value, key)
            meant = self._meant(held, key)
            if meant is not None:
                return meant
            same = {id(one): one for _, one in held.entries}
            return next(iter(same.values())) if len(same) == 1 else self._state.unknown("item", value, key)
        if held is not None:
            return value
        if isinstance(value, Thing) and value.owners:
            return value
        return self._state.unknown("item", value, key) if isinstance(value, Thing) else self._state.unknown()

    # the rest

    def on_lambda(self, node: ast.Lambda, scope: Scope) -> Value:
        return Function(node, scope.module, scope)

    def on_namedexpr(self, node: ast.NamedExpr, scope: Scope) -> Value:
        value = self.evaluate(node.value, scope)
        self._assign(node.target, value, scope)
        return value

    def on_starred(self, node: ast.Starred, scope: Scope) -> Value:
        return self.evaluate(node.value, scope)

    def on_await(self, node: ast.Await, scope: Scope) -> Value:
        return self.evaluate(node.value, scope)

    def on_yield(self, node: ast.Yield, scope: Scope) -> Value:
        value = self.evaluate(node.value, scope) if node.value is not None else NONE
        self._state.yields([value])
        return self._state.unknown()

    def on_yieldfrom(self, node: ast.YieldFrom, scope: Scope) -> Value:
        self._state.yields(self._elements(self.evaluate(node.value, scope)))
        return self._state.unknown()


def _is_plain(node: ast.JoinedStr) -> bool:
    """Whether a text is joined of values as they are."""
    parts = [one for one in node.values if isinstance(one, ast.FormattedValue)]
    return all(one.conversion == -1 and one.format_spec is None for one in parts)


def _from_the_end(key: Value, held: Items) -> Value:
    if isinstance(key, Known) and isinstance(key.value, int) and key.value < 0 and held.whole:
        return Known(len(held.entries) + key.value)
    return key
