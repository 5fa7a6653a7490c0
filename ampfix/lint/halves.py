"""Where half tensors are: walks the functions that open an autocast region or cast to half, and whatever they call.

Names are followed statement by statement; branches are walked apart and joined; a loop's body is walked once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ampfix.lint.frames import Frame as NamingFrame
from ampfix.lint.handed import Handed
from ampfix.lint.inherit import inherited_regions
from ampfix.lint.interest import Reach
from ampfix.lint.numbers import defaults
from ampfix.lint.regions import RegionReader
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import FUNCTIONS, Scope
from ampfix.lint.symbols import AUTOCASTS
from ampfix.lint.tensorcallees import TensorCallees
from ampfix.lint.tensorframes import Frame, is_near, join
from ampfix.lint.tensors import Evaluator
from ampfix.lint.usage import dotted
from ampfix.program import Always, Autocast, Binding, Context, Dtype, Form, Role, Value
from ampfix.program.spelling import last_name
from ampfix.program.tree import children
from ampfix.records import replace

_BUDGET = 20_000  # statements walked for one file, calls included; torch's own largest AMP file needs 900
_HALF_WORDS = frozenset({"half", "bfloat16", "float16"})
_SPLITS = frozenset({"chunk", "split", "unbind"})
_WITH_INDICES = frozenset({"max", "min", "topk", "sort"})
_PAIRS = frozenset({"std_mean", "var_mean"})
_DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


_TELLING = frozenset({ast.Attribute, ast.With, ast.AsyncWith})  # where a function may open a region or make a half


class HalfWalker:
    """Collects the tensor operations of one module, each with the dtype and the autocast state it runs in."""

    def __init__(
        self, resolver: Resolver, regions: RegionReader, handed: Handed, callees: TensorCallees, reach: Reach
    ) -> None:
        self._resolver, self._regions, self._handed, self._reach = resolver, regions, handed, reach
        self._evaluator = Evaluator(resolver, handed, callees, reach, self._enter)
        self._budget = _BUDGET

    def operations(
        self, scopes: Iterable[tuple[ast.AST, Scope]], owned: Mapping[ast.AST, Sequence[ast.AST]]
    ) -> tuple[Value, ...]:
        """Every operation reached from a function, method or module body where half tensors come about, which a region
        that is switched off is not enough for.

        owned: the nodes that are evaluated in each function, class and the module.
        """
        module: Frame | None = None
        classes: list[Scope] = []
        for node, scope in scopes:
            if scope.is_class:
                classes.append(scope)
            if isinstance(node, ast.Lambda) or scope.is_class:
                continue
            own = [inner for inner in owned.get(node, ()) if inner.__class__ in _TELLING]
            opens = _acts(self._opened(own, scope))
            concerned = opens or any(isinstance(n, ast.Attribute) and n.attr in _HALF_WORDS for n in own)
            concerned = concerned or self._leads_on(node, owned.get(node, ()))
            if isinstance(node, ast.Module):
                module = Frame(scope, Context(Autocast.OFF))  # no caller's region reaches module code
                if concerned:
                    self._statements(node.body, module)
            elif concerned or _acts((self._decorated(node, scope),)):
                context = Context(Autocast.OFF if opens else Autocast.UNKNOWN)
                self._enter(node, Frame(scope, context, function=node, active=(node,), outer=module))
        for method, scope in inherited_regions(classes, self._resolver, self._reach):
            self._enter(method, Frame(scope, Context(), function=method, active=(method,)))
        return tuple(self._evaluator.operations)

    def _leads_on(self, node: ast.AST, own: Sequence[ast.AST]) -> bool:
        """Whether a function may call one of another file that opens a region."""
        return node in self._reach.functions and any(
            last_name(inner.func) in self._reach.names for inner in own if isinstance(inner, ast.Call)
        )

    def _opened(self, own: Iterable[ast.AST], scope: Scope) -> Iterator[Context]:
        for inner in own:
            if isinstance(inner, (ast.With, ast.AsyncWith)):
                for item in inner.items:
                    context = self._region(item.context_expr, scope, inner)
                    if context is not None:
                        yield context

    def _decorated(self, node: ast.AST, scope: Scope) -> Context | None:
        outside = scope.parent or scope
        decorators = [item for item in getattr(node, "decorator_list", ()) if is_near(item, outside)]
        contexts = [self._region(item, outside, node) for item in decorators]
        return next((context for context in contexts if context is not None), None)

    def _region(self, expression: ast.expr, scope: Scope, entered: ast.AST) -> Context | None:
        """The autocast state an expression opens, or None."""
        for binding in self._handed.region(expression, scope):
            is_bare = binding.form is Form.SYMBOL and binding.symbol in AUTOCASTS
            if is_bare or self._resolver.role(binding) is Role.AUTOCAST:
                return self._context(binding, scope, expression, entered)
        return None

    def _context(self, binding: Binding, scope: Scope, expression: ast.expr, entered: ast.AST) -> Context:
        setting = self._regions.setting(binding, NamingFrame(scope))
        flag = _enabled(binding)
        if setting.enabled == Always(False) or (isinstance(flag, ast.Constant) and flag.value is False):
            return Context(Autocast.ISLAND, region=expression, entered=entered)
        dtype = Dtype(setting.dtype) if setting.dtype is not None else Dtype.HALF
        optional = self._off_by_default(binding, scope)
        sure = setting.proven and setting.dtype is not None and not optional
        return Context(Autocast.ON, dtype, setting.device or "", expression, entered, sure, optional)

    def _off_by_default(self, binding: Binding, scope: Scope) -> bool:
        """Whether `enabled` is a parameter whose default is False."""
        flag = _enabled(binding)
        for definition in scope.lookup(flag.id) if isinstance(flag, ast.Name) else ():
            if isinstance(definition.node, ast.arg) and definition.scope is not None:
                default = dict(defaults(definition.scope.node)).get(definition.node.arg)
                return isinstance(default, ast.Constant) and default.value is False
        return False

    def release(self) -> None:
        """Let go of the evaluator, which knows the walker. Nothing may be asked afterwards."""
        del self._evaluator

    # functions and statements

    def _enter(self, function: ast.AST, frame: Frame) -> None:
        decorated = self._decorated(function, frame.scope)
        if decorated is not None:
            _open(frame, decorated)
        if isinstance(function, ast.Lambda):
            frame.returned.append(self._evaluator.value(function.body, frame))
        else:
            self._statements(getattr(function, "body", []), frame)

    def _statements(self, body: list[ast.stmt], frame: Frame) -> bool:
        """Walk a block. False where its end is never reached."""
        for statement in body:
            self._budget -= 1
            if self._budget < 0:
                return False
            if isinstance(statement, _ENDS):
                if isinstance(statement, ast.Return) and statement.value is not None:
                    frame.returned.append(self._evaluator.value(statement.value, frame))
                return False
            if not self._statement(statement, frame):
                return False
        return True

    def _statement(self, statement: ast.stmt, frame: Frame) -> bool:
        evaluator = self._evaluator
        if isinstance(statement, ast.Expr):
            evaluator.value(statement.value, frame)
        elif isinstance(statement, _DEFINITIONS):
            return True
        elif isinstance(statement, ast.Assign):
            value = evaluator.value(statement.value, frame)
            for target in statement.targets:
                self._bind(target, value, frame)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._bind(statement.target, evaluator.value(statement.value, frame), frame)
        elif isinstance(statement, ast.AugAssign):
            value = evaluator.augmented(statement, frame)
            if (path := dotted(statement.target)) is not None:
                frame.bind(path, value)
        elif isinstance(statement, ast.If):
            known = evaluator.truth(statement.test, frame)
            if known is not None:
                return self._statements(statement.body if known else statement.orelse, frame)
            return self._branches(statement.test, [statement.body, statement.orelse], frame)
        elif isinstance(statement, (ast.For, ast.AsyncFor, ast.While)):
            self._loop(statement, frame)
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            return self._with(statement, frame)
        elif isinstance(statement, ast.Try):
            self._statements([*statement.body, *statement.orelse], frame)
            for handler in statement.handlers:
                self._branches(None, [handler.body, []], frame)
            self._statements(statement.finalbody, frame)
        elif isinstance(statement, ast.Match):
            return self._branches(statement.subject, [case.body for case in statement.cases] + [[]], frame)
        else:
            for child in children(statement):
                if isinstance(child, ast.expr):
                    evaluator.value(child, frame)
        return True

    def _bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for index, element in enumerate(target.elts):
                self._bind(element, self._element(value, index, element, frame), frame)
            return
        if isinstance(target, ast.Subscript):
            self._evaluator.assigned(target, value, frame)
        if (path := dotted(target)) is not None:
            frame.bind(path, value)

    def _element(self, value: Value, index: int, element: ast.expr, frame: Frame) -> Value:
        if value.op == "tuple" and index < len(value.operands):
            return value.operands[index]
        if value.op == "network":
            return self._evaluator.part_of(value, element, frame)
        if value.dtype is Dtype.NUMBER:
            return value  # one of the sizes of a shape
        if index == 0 and value.op in _WITH_INDICES:
            return replace(value, op="view", operands=(value,), parts=(value.node,))
        is_tensor = value.op in _SPLITS or value.op in _PAIRS
        return replace(value, op="view") if is_tensor else _nothing(value)

    def _branches(self, test: ast.expr | None, bodies: list[list[ast.stmt]], frame: Frame) -> bool:
        if test is not None:
            self._evaluator.value(test, frame)
        before, ends = dict(frame.names), []
        for body in bodies:
            frame.restore(dict(before))
            if self._statements(body, frame):
                ends.append(frame.names)
        frame.restore(_merged(ends) if ends else before)
        return bool(ends)

    def _loop(self, statement: ast.For | ast.AsyncFor | ast.While, frame: Frame) -> None:
        if isinstance(statement, ast.While):
            self._evaluator.value(statement.test, frame)
        else:
            self._evaluator.value(statement.iter, frame)
            self._evaluator.note_elements(statement.target, statement.iter, frame)
            self._bind(statement.target, self._evaluator.unknown(statement.target, frame), frame)
        before = dict(frame.names)
        self._statements(statement.body, frame)
        frame.restore(_merged([frame.names, before]))
        self._statements(statement.orelse, frame)

    def _with(self, statement: ast.With | ast.AsyncWith, frame: Frame) -> bool:
        outside = frame.context, frame.opened_in
        for item in statement.items:
            self._evaluator.value(item.context_expr, frame)
            entered = self._region(item.context_expr, frame.scope, statement)
            if entered is not None:
                _open(frame, entered)
        ends = self._statements(statement.body, frame)
        frame.context, frame.opened_in = outside
        return ends


def _open(frame: Frame, context: Context) -> None:
    """Enter a region; what one of another file holds by itself is told there."""
    frame.context = context
    if context.state is Autocast.ON and frame.call is not None:
        frame.opened_in = frame.scope.file


def _enabled(binding: Binding) -> ast.expr | None:
    """What an autocast call is handed as enabled=."""
    keywords = binding.node.keywords if isinstance(binding.node, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == "enabled"), None)


def _acts(contexts: Iterable[Context | None]) -> bool:
    """Whether autocast acts in one of them."""
    return any(context is not None and context.state is Autocast.ON for context in contexts)


def _nothing(value: Value) -> Value:
    return Value("input", Dtype.UNKNOWN, value.node, context=value.context, function=value.function)


def _merged(ends: list[dict[str, Value]]) -> dict[str, Value]:
    """The names after branches; one that a branch does not define holds what the others gave it."""
    merged = dict(ends[0])
    for names in ends[1:]:
        for name, value in names.items():
            held = merged.get(name)
            merged[name] = value if held is None or held is value else join([held, value], value.node)
    return merged
