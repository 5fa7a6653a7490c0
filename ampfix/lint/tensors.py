"""What tensor expressions hold: evaluates them to `Value`s."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ampfix.lint import ops
from ampfix.lint.dtypes import Outcome, promoted
from ampfix.lint.modulelists import elements
from ampfix.lint.numbers import is_some_number, known_number
from ampfix.lint.symbols import DTYPES
from ampfix.lint.tensorcalls import NO_TENSOR, NUMBER_NAME, CallEvaluator
from ampfix.lint.tensorframes import Frame, join
from ampfix.lint.usage import dotted
from ampfix.program import Autocast, Dtype, Value
from ampfix.program.tree import children, walk

_PATHS = frozenset({ast.Name, ast.Attribute, ast.Subscript})
_INTEGERS = ("bool", "uint8", "int8", "int16", "short", "int32", "int", "int64", "long")
_OF_TENSORS = {symbol: Dtype(name) for symbol, name in DTYPES.items()}
_OF_TENSORS |= {f"torch.{name}": Dtype.FLOAT32 for name in ("float64", "double")}  # as wide at least
_OF_TENSORS |= dict.fromkeys(map("torch.{}".format, _INTEGERS), Dtype.UNKNOWN)
_DTYPE_NAMES = frozenset(symbol.rpartition(".")[2] for symbol in _OF_TENSORS)


class Evaluator(CallEvaluator):
    """Evaluates expressions in frames, and records every operation on tensors."""

    def value(self, node: ast.expr | None, frame: Frame) -> Value:
        if node is None:
            return self._input(ast.Constant(None), frame)
        fixed = known_number(node, frame.scope)
        if fixed is not None:
            return Value("number", Dtype.NUMBER, node, number=fixed, scalar=True)
        path = dotted(node) if node.__class__ in _PATHS else None
        if path is not None and (held := frame.lookup(path)) is not None:
            return held
        if isinstance(node, ast.JoinedStr):
            return self._input(node, frame)  # a text; before Python 3.12 what is in it has no position of its own
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, frame)
        for child in children(node):
            if isinstance(child, ast.expr):
                self.value(child, frame)
        return self._input(node, frame)

    def unknown(self, node: ast.expr, frame: Frame) -> Value:
        return self._input(node, frame)

    def truth(self, test: ast.expr, frame: Frame) -> bool | None:
        """What a test gives that asks a constant, as a default is where the call leaves it, or in a step that trains
        for the mode of training; None where that is open."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.truth(test.operand, frame)
            return None if inner is None else not inner
        if isinstance(test, ast.Attribute) and test.attr == "training":
            return True if dotted(test.value) == frame.scope.self_name() and self._is_trained(frame.context) else None
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], (ast.Is, ast.IsNot)):
            held, compared = _constant(test.left, frame), test.comparators[0]
            if held is None or not isinstance(compared, ast.Constant):
                return None
            return (held.value is compared.value) == isinstance(test.ops[0], ast.Is)
        held = _constant(test, frame)
        return None if held is None else bool(held.value)

    def part_of(self, whole: Value, target: ast.expr, frame: Frame) -> Value:
        """One of several results of a network."""
        name = dotted(target) or ""
        known = Outcome(Dtype.UNKNOWN if NO_TENSOR.search(name) else whole.dtype, False)
        return self._made("network", target, [whole], [], frame, known=known)

    def assigned(self, target: ast.Subscript, value: Value, frame: Frame) -> None:
        """`x[index] = value` changes x in place."""
        held = self.value(target.value, frame)
        if held.dtype is not Dtype.NUMBER:
            parts, known = [target.value], Outcome(held.dtype, held.sure)
            made = self._made("setitem", target, [held, value], parts, frame, in_place=True, known=known)
            if (path := dotted(target.value)) is not None:
                frame.bind(path, made)

    # expressions

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        return self._input(node, frame, is_number=NUMBER_NAME.search(node.id) is not None)

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        symbols = self._resolver.symbols(node, frame.scope) if node.attr in _DTYPE_NAMES else []
        dtypes = {_OF_TENSORS[symbol] for symbol in symbols if symbol in _OF_TENSORS}
        if len(dtypes) == 1:
            return Value("dtype", dtypes.pop(), node)
        base = self.value(node.value, frame)
        if node.attr == "dtype":
            return Value("dtype", base.dtype, node, sure=base.sure)
        if node.attr in ops.SHAPES:
            return self._made("view", node, [base], [node.value], frame, known=Outcome(base.dtype, base.sure))
        if base.op == "network" and not NO_TENSOR.search(node.attr):
            return Value("network", base.dtype, node, (base,), sure=False, context=frame.context)
        is_limit = isinstance(node.value, ast.Call) and (dotted(node.value.func) or "").endswith("finfo")
        is_number = is_limit or node.attr == "shape" or NUMBER_NAME.search(node.attr) is not None
        return self._input(node, frame, is_number=is_number or is_some_number(node, frame.scope))

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        base = self.value(node.value, frame)
        self.value(node.slice, frame)
        if base.dtype is Dtype.NUMBER:
            return self._input(node, frame, is_number=True)
        if base.op == "tuple" and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            return base.operands[node.slice.value] if node.slice.value < len(base.operands) else base
        sure = base.sure and base.op != "network"
        return self._made("view", node, [base], [node.value], frame, known=Outcome(base.dtype, sure))

    def _binary(self, node: ast.BinOp, frame: Frame) -> Value:
        operands = [self.value(node.left, frame), self.value(node.right, frame)]
        op = ops.OPERATORS.get(type(node.op))
        if op is None:
            return self._input(node, frame, is_number=operands[0].dtype is Dtype.NUMBER)
        if all(operand.dtype is Dtype.NUMBER for operand in operands):
            return self._input(node, frame, is_number=True)
        return self._made(op, node, operands, [node.left, node.right], frame)

    def augmented(self, node: ast.AugAssign, frame: Frame) -> Value:
        """`x += y` changes a tensor in place, and rebinds anything else."""
        operands = [self.value(node.target, frame), self.value(node.value, frame)]
        op = ops.OPERATORS.get(type(node.op), "unknown")
        found = Outcome(operands[0].dtype, operands[0].sure)
        if op == "matmul" or operands[0].dtype is Dtype.NUMBER:
            found = promoted(operands)
        parts = [node.target, node.value]
        return self._made(op, node, operands, parts, frame, in_place=True, known=found)  # type: ignore[arg-type]

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        inner = self.value(node.operand, frame)
        if inner.dtype is Dtype.NUMBER:
            return self._input(node, frame, is_number=True)
        op = "neg" if isinstance(node.op, ast.USub) else "invert"
        return self._made(
            op, node, [inner], [node.operand], frame, known=Outcome(inner.dtype, inner.sure, inner.scalar)
        )

    def _conditional(self, node: ast.IfExp, frame: Frame) -> Value:
        self.value(node.test, frame)
        known = self.truth(node.test, frame)
        if known is not None:
            return self.value(node.body if known else node.orelse, frame)
        return join([self.value(node.body, frame), self.value(node.orelse, frame)], node)

    def _container(self, node: ast.Tuple | ast.List | ast.Set, frame: Frame) -> Value:
        items = tuple(self.value(element, frame) for element in node.elts)
        found = promoted(items)
        return Value("tuple", found.dtype, node, items, sure=found.sure)

    def note_elements(self, target: ast.expr, iterated: ast.expr, frame: Frame) -> None:
        """What a loop takes from a container of modules."""
        for name in [node.id for node in walk(target) if isinstance(node, ast.Name)] if frame.elements else ():
            frame.elements.pop(name, None)
        if frame.context.state is Autocast.ON:
            frame.elements.update(elements(target, iterated, frame.scope, self._resolver))

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, frame: Frame) -> Value:
        before, noted = frame.names, frame.elements
        frame.names, frame.elements = dict(before), dict(noted)
        for loop in node.generators:
            self.value(loop.iter, frame)
            self.note_elements(loop.target, loop.iter, frame)
            for name in (inner.id for inner in walk(loop.target) if isinstance(inner, ast.Name)):
                frame.bind(name, self._input(loop.target, frame))
            for test in loop.ifs:
                self.value(test, frame)
        item = self.value(node.elt, frame)
        frame.elements = noted
        frame.restore(before)
        return Value("tuple", item.dtype, node, (item,), sure=item.sure)


def _constant(node: ast.expr, frame: Frame) -> ast.Constant | None:
    """True, False or None, or a parameter that holds it throughout."""
    given: object = node
    if isinstance(node, ast.Name):
        sets = frame.scope.names.get(node.id, ())
        held = frame.lookup(node.id) if len(sets) == 1 and isinstance(sets[0].node, ast.arg) else None
        given = held.node if held is not None else None
    is_constant = isinstance(given, ast.Constant) and (given.value is None or isinstance(given.value, bool))
    return given if is_constant and isinstance(given, ast.Constant) else None


_HANDLERS: dict[type[ast.expr], Callable[[Evaluator, ast.expr, Frame], Value]] = {
    ast.Name: Evaluator._name,  # type: ignore[dict-item]
    ast.Attribute: Evaluator._attribute,  # type: ignore[dict-item]
    ast.Subscript: Evaluator._subscript,  # type: ignore[dict-item]
    ast.BinOp: Evaluator._binary,  # type: ignore[dict-item]
    ast.UnaryOp: Evaluator._unary,  # type: ignore[dict-item]
    ast.IfExp: Evaluator._conditional,  # type: ignore[dict-item]
    ast.Call: Evaluator._call,  # type: ignore[dict-item]
    ast.Tuple: Evaluator._container,  # type: ignore[dict-item]
    ast.List: Evaluator._container,  # type: ignore[dict-item]
    ast.ListComp: Evaluator._comprehension,  # type: ignore[dict-item]
    ast.GeneratorExp: Evaluator._comprehension,  # type: ignore[dict-item]
}
