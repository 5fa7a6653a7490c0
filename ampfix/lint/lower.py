"""Source to step program: statements become blocks, expressions become events.

Statements live here; what a single call means for the step is in `ampfix.lint.calls`, and how it is followed into the
function that it runs in `ampfix.lint.inline`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ampfix.lint.callees import Callees
from ampfix.lint.calls import CallReader
from ampfix.lint.elements import bind_elements, bind_number
from ampfix.lint.frames import YIELD, Frame, Namer
from ampfix.lint.inline import Inliner
from ampfix.lint.losses import runs_a_closure
from ampfix.lint.passedloss import about, is_scaled_inside, marked
from ampfix.lint.paths import is_left_when_done
from ampfix.lint.predicates import Predicates
from ampfix.lint.prune import concerns_elements, runs_backward
from ampfix.lint.regions import RegionReader
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope
from ampfix.program import (
    Assign,
    Atom,
    Block,
    Branch,
    Form,
    Jump,
    JumpKind,
    Loop,
    Node,
    Opaque,
    Protected,
)
from ampfix.program.tree import children, unparsed, walk
from ampfix.records import replace

_SILENT = frozenset({ast.Constant, ast.Name, ast.Lambda})
_ACTING = frozenset({ast.Call, ast.Yield})
_STACKS = frozenset({"contextlib.ExitStack", "contextlib.AsyncExitStack"})


class Lowering:
    """Lowers one routine. `interesting` holds the function nodes that reach an event, so that no other is inlined."""

    def __init__(
        self, resolver: Resolver, reader: CallReader, regions: RegionReader, interesting: frozenset[ast.AST]
    ) -> None:
        self._resolver, self._reader, self._regions = resolver, reader, regions
        self._namer: Namer = reader.namer
        callees = Callees(resolver, reader, reader.namer.fields)
        self._predicates = Predicates(resolver)
        self._acting: dict[ast.expr, bool] = {}
        self._inliner = Inliner(resolver, reader, callees, interesting, self._function_body)

    def release(self) -> None:
        """Let go of the inliner, which refers back here. Nothing may be lowered afterwards."""
        self.__dict__.clear()

    def routine(self, node: ast.AST, scope: Scope) -> Block:
        """The program of one function, seen with the `self` of its scope."""
        self._inliner.start(node)
        self._reader.owners, self._reader.unclear = {}, set()
        return self._function_body(node, Frame(scope))

    def _function_body(self, node: ast.AST, frame: Frame) -> Block:
        if isinstance(node, ast.Lambda):
            return self._expression(node.body, frame)
        body = self._block(getattr(node, "body", []), frame)
        for decorator in reversed(getattr(node, "decorator_list", [])):
            region = self._regions.enter(decorator, frame, as_decorator=True)
            if region is not None:
                body = (*region.enter, Protected(body, final=region.exit))
            elif body:
                body = self._inliner.wrapped(decorator, frame, body)
        return body

    def _block(self, statements: Iterable[ast.stmt], frame: Frame) -> Block:
        nodes: list[Node] = []
        for statement in statements:
            handler = getattr(self, f"_{type(statement).__name__}", None)
            if handler is not None:
                frame.statement = statement
                before, behind = self._reader.gradients.around(statement, frame)
                nodes.extend((*before, *handler(statement, frame)))
                frame.statement = statement
                nodes.extend(behind)
            if is_left_when_done(statement):
                frame = self._under(frame, f"not ({unparsed(statement.test)})")
        return tuple(nodes)

    # statements

    def _Expr(self, node: ast.Expr, frame: Frame) -> Block:
        return self._expression(node.value, frame)

    def _Return(self, node: ast.Return, frame: Frame) -> Block:
        return (*self._expression(node.value, frame), Jump(JumpKind.RETURN))

    def _Raise(self, node: ast.Raise, frame: Frame) -> Block:
        return (*self._expression(node.exc, frame), Jump(JumpKind.RAISE))

    def _Assert(self, node: ast.Assert, frame: Frame) -> Block:
        return self._expression(node.test, frame)

    def _Break(self, _node: ast.Break, _frame: Frame) -> Block:
        return (Jump(JumpKind.BREAK),)

    def _Continue(self, _node: ast.Continue, _frame: Frame) -> Block:
        return (Jump(JumpKind.CONTINUE),)

    def _Delete(self, node: ast.Delete, frame: Frame) -> Block:
        return self._assigned(node.targets, None, frame)

    def _Assign(self, node: ast.Assign, frame: Frame) -> Block:
        value = self._expression(node.value, frame)
        assigned = self._assigned(node.targets, node.value, frame)
        if isinstance(node.value, ast.Call) and is_scaled_inside(value, assigned):
            return (*assigned, *marked(value, tuple(self._paths(node.targets, frame))))
        return (*value, *assigned)

    def _AnnAssign(self, node: ast.AnnAssign, frame: Frame) -> Block:
        if node.value is None:
            return ()
        return (*self._expression(node.value, frame), *self._assigned([node.target], node.value, frame))

    def _AugAssign(self, node: ast.AugAssign, frame: Frame) -> Block:
        edit = self._reader.augmented(node, frame)
        return (*self._expression(node.value, frame), *edit, *self._assigned([node.target], None, frame))

    def _If(self, node: ast.If, frame: Frame) -> Block:
        test = self._predicates.told(node.test, frame)
        source = unparsed(test)
        first = self._expression(node.test, frame)
        then = self._block(node.body, self._under(frame, source))
        orelse = self._block(node.orelse, self._under(frame, f"not ({source})"))
        return (*first, *self._branch(test, then, orelse, frame))

    def _branch(self, test: ast.expr, then: Block, orelse: Block, frame: Frame) -> Block:
        """A branch on a test, unless neither side does anything."""
        return (Branch(self._namer.condition(test, frame), then, orelse),) if then or orelse else ()

    def _under(self, frame: Frame, test: str) -> Frame:
        return replace(frame, tests=(*frame.tests, test))

    def _For(self, node: ast.For | ast.AsyncFor, frame: Frame) -> Block:
        path = self._namer.canonical(node.iter, frame)
        inner = replace(frame, loops=(*frame.loops, node.lineno), bindings=dict(frame.bindings), paths={})
        bind_elements(self._namer, node.target, node.iter, frame, inner)
        targets = tuple(self._paths([node.target, *bind_number(node, inner)], inner))
        body, orelse = self._block(node.body, inner), self._block(node.orelse, frame)
        streamed = self._inliner.streamed(node.iter, frame, body)
        if streamed is not None:
            return (*streamed, *orelse)
        loop = Loop(self._inliner.pulled(node.iter, frame, body) if body else body, orelse, targets)
        # Two loops over the same things are both empty or both not.
        text = path or unparsed(node.iter)
        filled = Atom(f"<{frame.prefix}{text} is not empty>", frozenset({path} if path else ()))
        if concerns_elements(loop) or runs_backward(loop):
            return (*self._expression(node.iter, frame), loop)  # nobody trains without an optimizer, or a batch
        return (*self._expression(node.iter, frame), Branch(filled, (loop,), orelse))

    _AsyncFor = _For

    def _While(self, node: ast.While, frame: Frame) -> Block:
        inner = replace(frame, loops=(*frame.loops, node.lineno))
        body = (*self._expression(node.test, frame), *self._block(node.body, inner))
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return (Loop(body, self._block(node.orelse, frame), endless=endless),)

    def _With(self, node: ast.With | ast.AsyncWith, frame: Frame) -> Block:
        return self._with(list(node.items), node.body, frame)

    _AsyncWith = _With

    def _with(self, items: list[ast.withitem], body: list[ast.stmt], frame: Frame) -> Block:
        if not items:
            return self._block(body, frame)
        first = items[0]
        if isinstance(first.optional_vars, ast.Name) and self._is_stack(first.context_expr, frame):
            left: list[Block] = []
            inside = replace(frame, left={**frame.left, first.optional_vars.id: left})
            stacked = self._with(items[1:], body, inside)
            return (Protected(stacked, final=tuple(node for block in reversed(left) for node in block)),)
        inner = self._with(items[1:], body, frame)
        region = self._regions.enter(first.context_expr, frame)
        if region is not None:
            return (*region.enter, Protected(inner, final=region.exit))
        managed = self._inliner.managed(first.context_expr, frame, inner)
        return managed if managed is not None else (*self._expression(first.context_expr, frame), *inner)

    def _is_stack(self, node: ast.expr, frame: Frame) -> bool:
        found = self._resolver.resolve(node, frame.scope)
        return any(binding.form is Form.INSTANCE and binding.symbol in _STACKS for binding in found)

    def _Try(self, node: ast.Try, frame: Frame) -> Block:
        handlers = tuple(self._block(handler.body, frame) for handler in node.handlers)
        protected = Protected(
            self._block(node.body, frame), handlers, self._block(node.orelse, frame), self._block(node.finalbody, frame)
        )
        return (protected,) if protected != Protected((), tuple(() for _ in handlers)) else ()

    _TryStar = _Try

    def _Match(self, node: ast.Match, frame: Frame) -> Block:
        subject = unparsed(node.subject)
        path = self._namer.canonical(node.subject, frame)
        result: Block = ()
        for case in reversed(node.cases):
            pattern = ast.unparse(case.pattern) + (f" if {ast.unparse(case.guard)}" if case.guard else "")
            body = self._block(case.body, self._under(frame, f"match {subject}: {pattern}"))
            if pattern == "_":
                result = body
            else:
                atom = Atom(f"<match {frame.prefix}{subject} case {pattern}>", frozenset({path} if path else ()))
                result = (Branch(atom, body, result),) if body or result else ()
        return (*self._expression(node.subject, frame), *result)

    def _assigned(self, targets: list[ast.expr], value: ast.expr | None, frame: Frame) -> Block:
        same = self._namer.canonical(value, frame) if value is not None else None  # of a name that only stands for it
        if isinstance(value, (ast.IfExp, ast.BoolOp)):  # which a name may stand for
            targets = [target for target in targets if self._namer.meant(target, frame) is target]
        names = tuple(name for name in self._paths(targets, frame) if name != same)
        if not names:
            return ()
        if value is None:  # unknown, or an augmented assignment, which keeps what the name held
            return (Assign(names, sources=names),)
        built = self._reader.built(value, names, frame)
        if built:
            return (Assign(names, True), *built)
        truth = bool(value.value) if isinstance(value, ast.Constant) else None
        sources = self._sources(value, frame)
        scaled = self._reader.scales(value, frame)
        if scaled is None:
            return (Assign(names, truth, sources=sources),)
        scaler, is_on = scaled
        return (Branch(is_on, (Assign(names, scaled_by=scaler),), (Assign(names, sources=sources),)),)

    def _sources(self, value: ast.expr, frame: Frame) -> tuple[str, ...]:
        paths = (self._namer.canonical(child, frame) for child in walk(value) if isinstance(child, ast.Name))
        return tuple(dict.fromkeys(path for path in paths if path is not None))

    def _paths(self, targets: Iterable[ast.expr], frame: Frame) -> Iterable[str]:
        for target in targets:
            if isinstance(target, (ast.Tuple, ast.List)):
                yield from self._paths(target.elts, frame)
            elif isinstance(target, ast.Starred):
                yield from self._paths([target.value], frame)
            else:
                path = self._namer.canonical(target, frame)
                if path is not None:
                    yield path

    # expressions, in evaluation order

    def _expression(self, node: ast.expr | None, frame: Frame) -> Block:
        while node.__class__ is ast.Attribute:
            node = node.value
        if node is None or node.__class__ in _SILENT:
            return ()
        if isinstance(node, ast.Call):
            return self._call(node, frame)
        if not self._may_act(node):
            return ()
        if isinstance(node, ast.IfExp):
            source = unparsed(node.test)
            then = self._expression(node.body, self._under(frame, source))
            orelse = self._expression(node.orelse, self._under(frame, f"not ({source})"))
            return (*self._expression(node.test, frame), *self._branch(node.test, then, orelse, frame))
        if isinstance(node, ast.BoolOp):
            return self._short_circuit(node, frame)
        if isinstance(node, ast.Yield):
            return (*self._expression(node.value, frame), *frame.bodies.get(YIELD, ()))
        nodes: list[Node] = []
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            inner = replace(frame, bindings=dict(frame.bindings), paths={})
            for generator in node.generators:
                bind_elements(self._namer, generator.target, generator.iter, frame, inner)
            frame = inner
        for child in children(node):
            if isinstance(child, ast.expr):
                nodes.extend(self._expression(child, frame))
            elif isinstance(child, ast.comprehension):
                nodes.extend(self._expression(child.iter, frame))
        return tuple(nodes)

    def _may_act(self, node: ast.expr) -> bool:
        """Whether anything is called in an expression, or handed out. Asked each time it is lowered."""
        known = self._acting.get(node)
        if known is None:
            known = self._acting[node] = any(inner.__class__ in _ACTING for inner in walk(node))
        return known

    def _short_circuit(self, node: ast.BoolOp, frame: Frame) -> Block:
        rest: Block = ()
        for value in reversed(node.values[1:]):
            rest = (*self._expression(value, frame), *rest)
        if rest:
            then, orelse = (rest, ()) if isinstance(node.op, ast.And) else ((), rest)
            rest = self._branch(node.values[0], then, orelse, frame)
        return (*self._expression(node.values[0], frame), *rest)

    def _call(self, node: ast.Call, frame: Frame) -> Block:
        nodes: list[Node] = []
        if isinstance(node.func, ast.Attribute):
            nodes.extend(self._expression(node.func.value, frame))
        elif not isinstance(node.func, ast.Name):
            nodes.extend(self._expression(node.func, frame))
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            nodes.extend(self._expression(argument, frame))
        opened = self._run_closure(node, frame) if runs_a_closure(node) else self._regions.opened_by_hand(node, frame)
        events = opened if opened is not None else self._reader.read(node, frame)
        if events is not None and is_scaled_inside(nodes, events):
            subject = f"<{frame.prefix}loss of line {node.lineno}>"
            nodes, events = list(marked(nodes, (subject,))), about(events, subject)
        nodes.extend(events if events is not None else self._inliner.follow(node, frame))
        return tuple(nodes)

    def _run_closure(self, node: ast.Call, frame: Frame) -> Block:
        """`optimizer.step(closure=...)`, also through a scaler: of whose gradients nothing is known afterwards."""
        assert isinstance(node.func, ast.Attribute)
        path = self._namer.canonical(node.args[0] if node.args else node.func.value, frame)
        return (Opaque((path,) if path is not None else ()),)
