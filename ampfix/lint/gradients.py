"""Where a function reads the values of gradients into a decision or a log, changes them, or throws them away."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ampfix.lint.gradedits import Change, change_of, mentions_scale
from ampfix.lint.gradtaint import LOGGER, Env, Expressions, Helpers, Kind, Taint, joined, merged_taint
from ampfix.lint.ownclip import is_own_clip
from ampfix.lint.usage import dotted
from ampfix.program.tree import walk
from ampfix.records import dataclass, field


@dataclass(frozen=True)
class Touch:
    """A statement does something with gradients. node: the expression. owner: what the parameters are listed by.

    late: the value comes out of a call in the statement. clip: the function clips by hand with it.
    """

    change: Change
    node: ast.AST
    owner: ast.expr | None = None
    late: bool = False
    clip: bool = False


@dataclass
class Gradients:
    """What one function does with gradients: statement id -> touches. returns: its result is a gradient's value."""

    touches: dict[int, tuple[Touch, ...]] = field(default_factory=dict)
    returns: bool = False


def gradients_in(function: ast.AST, helpers: Helpers) -> Gradients:
    """Analyse a function."""
    flow = _Flow(function, helpers)
    body = getattr(function, "body", [])
    if isinstance(body, list):
        flow.run(body, {})
    return flow.result()


def gives_away(function: ast.AST, handed: Iterable[str], helpers: Helpers) -> bool:
    """Whether a function decides by, logs or returns what was computed from gradients that these parameters hold."""
    flow = _Flow(function, helpers)
    flow.run(getattr(function, "body", []), {name: Taint(Kind.ALIAS) for name in handed})
    return flow.gives_away


class _Flow:
    def __init__(self, function: ast.AST, helpers: Helpers) -> None:
        nodes = walk(function)
        edits = (node for node in nodes if isinstance(node, (ast.Call, ast.AugAssign)))
        self._expressions = Expressions(nodes, helpers)
        self._clips = any(is_own_clip(node, function) for node in edits)
        self._touches: list[tuple[ast.stmt, Touch]] = []
        self._tests: tuple[ast.expr, ...] = ()
        self._loops: dict[ast.For | ast.AsyncFor, int] = {}  # in progress, with the number of tests around each
        self._returns = self._hands_back = False

    @property
    def gives_away(self) -> bool:
        return self._hands_back or bool(self._expressions.read)

    def result(self) -> Gradients:
        found: dict[int, tuple[Touch, ...]] = {}
        for source in self._expressions.read:
            touch = Touch(Change.READ, source.node, self._owner(source.node), source.late, self._clips)
            found[id(source.statement)] = (*found.get(id(source.statement), ()), touch)
        for statement, touch in self._touches:
            if touch not in found.get(id(statement), ()):
                found[id(statement)] = (*found.get(id(statement), ()), touch)
        return Gradients(found, self._returns)

    def _owner(self, node: ast.AST) -> ast.expr | None:
        for child in walk(node):
            if isinstance(child, ast.Attribute) and child.attr == "grad" and isinstance(child.value, ast.Name):
                return self._expressions.iterated.get(child.value.id)
        return None

    def _loop_of(self, node: ast.AST) -> ast.For | ast.AsyncFor | None:
        """The loop that goes over the parameters whose gradients are zeroed: behind it none is left."""
        names = {child.id for child in walk(node) if isinstance(child, ast.Name)}
        for loop in reversed(self._loops):
            if any(isinstance(child, ast.Name) and child.id in names for child in walk(loop.target)):
                return loop
        return None

    # statements

    def run(self, block: Iterable[ast.stmt], env: Env) -> Env:
        for statement in block:
            env = self._run(statement, env)
        return env

    def _run(self, node: ast.stmt, env: Env) -> Env:
        self._expressions.statement = node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return env
        if isinstance(node, (ast.For, ast.AsyncFor)):
            iterated = self._expressions.taint(node.iter, env)
            self._loops[node] = len(self._tests)
            for _ in range(2):
                env = joined(env, self.run(node.body, self._expressions.bound(node.target, iterated, dict(env))))
            del self._loops[node]
            return self.run(node.orelse, env)
        if isinstance(node, ast.While):
            self._expressions.taint(node.test, env)
            env = joined(env, self.run(node.body, dict(env)))
            return self.run(node.orelse, env)
        if isinstance(node, ast.If):
            self._expressions.taint(node.test, env)
            outer, self._tests = self._tests, (*self._tests, node.test)
            env = joined(self.run(node.body, dict(env)), self.run(node.orelse, dict(env)))
            self._tests = outer
            return env
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                self._expressions.taint(item.context_expr, env)
            return self.run(node.body, env)
        if isinstance(node, ast.Match):
            return joined(env, *(self.run(case.body, dict(env)) for case in node.cases))
        if isinstance(node, ast.Try):
            env = self.run(node.body, env)
            env = joined(env, *(self.run(handler.body, dict(env)) for handler in node.handlers))
            return self.run(node.finalbody, self.run(node.orelse, env))
        return self._simple(node, env)

    def _simple(self, node: ast.stmt, env: Env) -> Env:
        loop = self._loop_of(node) if self._loops else None
        tests = self._tests[self._loops[loop] if loop is not None else 0 :]  # those that choose among the parameters
        edit = change_of(node, lambda expression: self._expressions.is_alias(expression, env), tests)
        if edit is not None and edit.change is Change.ZERO:
            around = self._loop_of(edit.node)
            owner = self._owner(edit.node)
            self._touches.append((around or node, Touch(edit.change, edit.node, owner, late=around is not None)))
        elif edit is not None:
            self._touches.append((node, Touch(edit.change, edit.node, self._owner(edit.node))))
        if isinstance(node, ast.Assign):
            taint = self._expressions.taint(node.value, env)
            for target in node.targets:
                env = self._assigned(target, node.value, taint, env)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            env = self._assigned(node.target, node.value, self._expressions.taint(node.value, env), env)
        elif isinstance(node, ast.AugAssign):
            env = self._augmented(node, env)
        elif isinstance(node, ast.Return):
            taint = self._expressions.taint(node.value, env)
            self._returns |= taint is not None and taint.kind is Kind.VALUE
            self._hands_back |= taint is not None
        elif isinstance(node, ast.Expr):
            self._expressions.taint(node.value, env)
            env = self._kept(node.value, env)
        elif isinstance(node, ast.Assert):
            self._expressions.taint(node.test, env)
        return env

    def _augmented(self, node: ast.AugAssign, env: Env) -> Env:
        if isinstance(node.op, (ast.Div, ast.Mult)) and mentions_scale(node.value):
            return self._expressions.bound(node.target, None, env)
        taint = merged_taint(self._expressions.taint(node.target, env), self._expressions.value(node.value, env))
        if self._expressions.is_alias(node.target, env):
            return env
        if isinstance(node.target, ast.Subscript):
            return self._assigned(node.target, node.value, taint, env)
        return self._expressions.bound(node.target, taint, env)

    def _assigned(self, target: ast.expr, value: ast.expr, taint: Taint | None, env: Env) -> Env:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for element, inside in zip(target.elts, value.elts, strict=True):
                env = self._expressions.bound(element, self._expressions.taint(inside, env), env)
            return env
        if isinstance(target, ast.Subscript) and taint is not None:
            base = dotted(target.value) or ""
            if taint.kind is Kind.VALUE and (LOGGER.search(base) or _is_setting(target)):
                self._expressions.sink(taint)
            return {**env, base: merged} if (merged := merged_taint(env.get(base), taint)) and base else env
        return self._expressions.bound(target, taint, env)

    def _kept(self, node: ast.expr, env: Env) -> Env:
        """`norms.append(value)`: the list holds it from then on."""
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("append", "extend")
        ):
            base = dotted(node.func.value)
            taints = [self._expressions.taint(argument, env) for argument in node.args]
            merged = merged_taint(env.get(base or ""), *taints)
            if base is not None and merged is not None:
                return {**env, base: merged}
        return env


def _is_setting(target: ast.Subscript) -> bool:
    """`group["lr"] = ...`: a decision about the step."""
    key = target.slice
    return isinstance(key, ast.Constant) and key.value in ("lr", "weight_decay", "momentum", "betas")
