"""Follows the statements of a program."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ampfix.dryrun.flows import NORMAL, RAISED, Exit, Flow, answers_to, forked, kinds, substituted
from ampfix.dryrun.state import State
from ampfix.dryrun.values import (
    NONE,
    UNROLLED,
    Items,
    Known,
    Library,
    Scope,
    Test,
    Value,
)


class Statements:
    """Runs statements in a scope. evaluate: gives the value of an expression; joined: what an operation gives;
    elements: what a loop over a value gets; imported: what an import brings in; define: what a definition binds;
    enter: runs a body in a context."""

    def __init__(
        self,
        state: State,
        evaluate: Callable[[ast.expr, Scope], Value],
        joined: Callable[[ast.operator, Value, Value], Value],
        assign: Callable[[ast.expr, Value, Scope], None],
        elements: Callable[[Value], list[Value]],
        imported: Callable[[str, str, Scope], Value],
        define: Callable[[ast.AST, Scope], Value],
        enter: Callable[[Value, ast.AST, Scope, Callable[[Value], Flow]], Flow],
    ) -> None:
        self._state, self._store = state, state.store
        self._evaluate, self._joined, self._assign, self._elements = evaluate, joined, assign, elements
        self._imported, self._define, self._enter = imported, define, enter
        self.on_yield: list[Callable[[Value], Flow] | None] = []

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> Flow:
        """Run statements one after the other."""
        for index, statement in enumerate(body):
            flow = self._run(statement, scope)
            if flow is NORMAL:
                continue
            ways = kinds(flow)
            if "normal" not in ways:
                return flow
            rest = self._go_on(flow, body[index + 1 :], scope, guarded=bool(ways - {"normal", "raise"}))
            return substituted(flow, "normal", rest)
        return NORMAL

    def _go_on(self, flow: Flow, rest: Sequence[ast.stmt], scope: Scope, *, guarded: bool) -> Flow:
        answers = answers_to(flow, "normal") or []
        if not guarded or not answers:
            with ExitStack() as assumed:
                for test, holds in answers:
                    assumed.enter_context(self._store.assuming(test, holds))
                return self.block(rest, scope)
        return self._under(answers, rest, scope)

    def _under(self, answers: list[tuple[Test, bool]], rest: Sequence[ast.stmt], scope: Scope) -> Flow:
        if not answers:
            return self.block(rest, scope)
        (test, holds), *further = answers
        with self._store.branch(test, holds) as layer:
            flow = self._under(further, rest, scope)
        self._store.merge(test, *((layer, {}) if holds else ({}, layer)))
        return flow

    def _run(self, statement: ast.stmt, scope: Scope) -> Flow:
        self._state.spend()
        method = getattr(self, f"on_{type(statement).__name__.lower()}", None)
        return NORMAL if method is None else method(statement, scope) or NORMAL

    # what decides

    def decided(self, value: Value, run: Callable[[bool], Flow]) -> Flow:
        """Run what depends on the truth of a value, both ways where it is not known."""
        return self._state.decided(value, run, self.forked)

    def forked(self, test: Test, run: Callable[[bool], Flow]) -> Flow:
        answer = self._store.answer(test)
        if answer is not None:
            return run(answer)
        with self._store.branch(test, True) as first:
            yes = run(True)
        with self._store.branch(test, False) as second:
            no = run(False)
        raised = [kinds(flow) == {"raise"} for flow in (yes, no)]
        if raised[0] != raised[1]:
            self._store.merge(test, *((second, second) if raised[0] else (first, first)))
        else:
            self._store.merge(test, first, second)
        return forked(test, yes, no)

    def on_if(self, node: ast.If, scope: Scope) -> Flow:
        asked, self._store.asked = self._store.asked, set()
        value = self._evaluate(node.test, scope)
        truth = self._state.truth(value)
        is_setting = isinstance(truth, bool) and self._store.asked.isdisjoint(self._store.assumed)
        self._store.asked |= asked
        if is_setting:
            return self._guarded(node, truth is True, scope)
        return self.decided(value, lambda holds: self.block(node.body if holds else node.orelse, scope))

    def _guarded(self, node: ast.If, holds: bool, scope: Scope) -> Flow:
        """A guard that ends the program is not what it is started for: its settings are such that it goes on."""
        flow = self.block(node.body if holds else node.orelse, scope)
        return flow if kinds(flow) != {"raise"} else self.block(node.orelse if holds else node.body, scope)

    def on_match(self, node: ast.Match, scope: Scope) -> Flow:
        subject = self._evaluate(node.subject, scope)
        return self._cases(list(node.cases), subject, scope)

    def _cases(self, cases: list[ast.match_case], subject: Value, scope: Scope) -> Flow:
        if not cases:
            return NORMAL
        case, *others = cases
        if isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None:
            return self.block(case.body, scope)
        test = Test(subject, ast.dump(case.pattern))
        return self.forked(
            test, lambda holds: self.block(case.body, scope) if holds else self._cases(others, subject, scope)
        )

    # loops

    def on_for(self, node: ast.For, scope: Scope) -> Flow:
        iterable = self._evaluate(node.iter, scope)
        for element in self._elements(iterable)[:UNROLLED]:
            self._assign(node.target, element, scope)
            flow = self.block(node.body, scope)
            ways = kinds(flow)
            if ways <= {"return", "raise"}:
                return flow
            if "return" in ways:
                flow = substituted(substituted(flow, "break", NORMAL), "continue", NORMAL)
                return substituted(flow, "normal", self.block(node.orelse, scope))
            if "normal" not in ways and "continue" not in ways:
                break
        return self.block(node.orelse, scope)

    on_asyncfor = on_for

    def on_while(self, node: ast.While, scope: Scope) -> Flow:
        value = self._evaluate(node.test, scope)
        if self._state.truth(value) is False:
            return self.block(node.orelse, scope)
        flow = self.block(node.body, scope)
        if kinds(flow) <= {"return", "raise"}:
            return flow
        flow = substituted(substituted(flow, "break", NORMAL), "continue", NORMAL)
        return substituted(flow, "raise", NORMAL)

    def on_break(self, node: ast.Break, scope: Scope) -> Flow:
        return Exit("break")

    def on_continue(self, node: ast.Continue, scope: Scope) -> Flow:
        return Exit("continue")

    def on_return(self, node: ast.Return, scope: Scope) -> Flow:
        return Exit("return", self._evaluate(node.value, scope) if node.value else NONE)

    def on_raise(self, node: ast.Raise, scope: Scope) -> Flow:
        if node.exc is not None:
            self._evaluate(node.exc, scope)
        return RAISED

    # blocks

    def on_with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> Flow:
        return self._items(list(node.items), node.body, scope)

    on_asyncwith = on_with

    def _items(self, items: list[ast.withitem], body: list[ast.stmt], scope: Scope) -> Flow:
        if not items:
            return self.block(body, scope)
        item, *others = items
        value = self._evaluate(item.context_expr, scope)

        def inside(entered: Value) -> Flow:
            if item.optional_vars is not None:
                self._assign(item.optional_vars, entered, scope)
            return self._items(others, body, scope)

        return self._enter(value, item.context_expr, scope, inside)

    def on_try(self, node: ast.Try, scope: Scope) -> Flow:
        flow = self.block(node.body, scope)
        ways = kinds(flow)
        if "normal" in ways:
            flow = substituted(flow, "normal", self.block(node.orelse, scope)) if node.orelse else flow
        for handler in node.handlers:
            test = Test(handler, "raised")
            if ways == {"raise"}:
                flow = self.block(handler.body, scope)
                break
            with self._store.branch(test, True) as layer:
                self.block(handler.body, scope)
            self._store.merge(test, layer, {})
        final = self.block(node.finalbody, scope)
        return final if final is not NORMAL and "normal" not in kinds(final) else flow

    on_trystar = on_try

    # bindings

    def on_assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self._evaluate(node.value, scope)
        for target in node.targets:
            self._assign(target, self._setting(target, value, scope), scope)

    def _setting(self, target: ast.expr, value: Value, scope: Scope) -> Value:
        """What a switch at the top of a module stands for: `RESUME = False` is there to be changed."""
        is_switch = isinstance(value, Known) and isinstance(value.value, bool) and scope.around is None
        if is_switch and isinstance(target, ast.Name) and target.id.isupper():
            return self._state.unknown("setting", scope.module, target.id)
        return value

    def on_annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._assign(node.target, self._evaluate(node.value, scope), scope)

    def on_augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        before, value = self._evaluate(node.target, scope), self._evaluate(node.value, scope)
        joined = self._joined(node.op, before, value)
        if isinstance(before, Items) and isinstance(joined, Items):  # a loop may add more of them
            joined = joined.opened()
        self._assign(node.target, joined, scope)

    def on_expr(self, node: ast.Expr, scope: Scope) -> Flow | None:
        if isinstance(node.value, ast.Yield) and self.on_yield and self.on_yield[-1] is not None:
            value = self._evaluate(node.value.value, scope) if node.value.value else NONE
            return self.on_yield[-1](value)
        if isinstance(node.value, ast.Constant):
            return None
        value = self._evaluate(node.value, scope)
        is_exit = isinstance(value, Library) and value.symbol == "builtins.exited"
        return RAISED if is_exit else None

    def on_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
        self._assign(ast.copy_location(ast.Name(node.name, ast.Store()), node), self._define(node, scope), scope)

    on_asyncfunctiondef = on_classdef = on_functiondef

    def on_import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            symbol = alias.name if alias.asname else alias.name.partition(".")[0]
            name = alias.asname or symbol
            self._store.put(scope, name, self._imported(symbol, "", scope))

    def on_importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self._imported(module, "*", scope)
            else:
                self._store.put(scope, alias.asname or alias.name, self._imported(module, alias.name, scope))

    def on_assert(self, node: ast.Assert, scope: Scope) -> Flow | None:
        truth = self._state.truth(self._evaluate(node.test, scope))
        return forked(truth, NORMAL, RAISED) if isinstance(truth, Test) else None
