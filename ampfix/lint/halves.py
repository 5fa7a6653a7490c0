"""Where half tensors are: a forward walk over each float16 region, and into the functions of this file it calls.

An op's result dtype follows CUDA's autocast policy: matrix products and convolutions return half, reductions, losses
and exponentials float32, and everything else the widest of what goes in.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum

from ampfix.lint.constants import number
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import FUNCTIONS, Scope, parameters
from ampfix.lint.symbols import CAST_TO_FLOAT, CAST_TO_HALF, HALF_LAYERS
from ampfix.lint.usage import dotted
from ampfix.program import Form, HalfOperation

_MAX_DEPTH = 3
_NETWORK = re.compile(
    r"(^|_)(model|module|backbone|encoder|decoder|head|generator|discriminator|student|teacher|unet|vae|mlp|fc|linear|"
    r"conv)(_|\d|$)|net(work)?\d*$",
    re.IGNORECASE,
)
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_METHODS = {"add": "+", "add_": "+", "sub": "-", "sub_": "-", "mul": "*", "mul_": "*", "div": "/", "div_": "/"}
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class Kind(Enum):
    """What an expression holds."""

    HALF = "half"
    LIKELY_HALF = "likely half"  # the output of something that is named like a network
    FLOAT = "float32"
    SCALAR = "a Python number"
    UNKNOWN = "unknown"


@dataclass
class _Walk:
    """One body being walked: the kinds of its names, and the region it runs in."""

    region: ast.expr
    scope: Scope
    kinds: dict[str, Kind]
    depth: int = 0


class HalfWalker:
    """Yields the arithmetic with literal numbers that half tensors meet in float16 regions."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._found: dict[ast.AST, HalfOperation] = {}

    def walk(self, region: ast.expr, body: list[ast.stmt], scope: Scope) -> None:
        """Walk the statements of one region."""
        self._statements(body, _Walk(region, scope, {}))

    def found(self) -> tuple[HalfOperation, ...]:
        return tuple(self._found.values())

    def _statements(self, body: list[ast.stmt], walk: _Walk) -> None:
        for statement in body:
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                continue
            if isinstance(statement, ast.Assign):
                kind = self._kind(statement.value, walk)
                for target in statement.targets:
                    self._bind(target, kind, walk)
            elif isinstance(statement, ast.AugAssign):
                self._augmented(statement, walk)
            else:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        self._kind(child, walk)
                for name in ("body", "orelse", "finalbody"):
                    self._statements(getattr(statement, name, []), walk)

    def _bind(self, target: ast.expr, kind: Kind, walk: _Walk) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._bind(element, Kind.UNKNOWN, walk)
        elif (path := dotted(target)) is not None:
            walk.kinds[path] = kind

    def _augmented(self, node: ast.AugAssign, walk: _Walk) -> None:
        left, right = self._kind(node.target, walk), self._kind(node.value, walk)
        if isinstance(node.op, _ARITHMETIC):
            self._operation(node, _SIGNS[type(node.op)], left, node.value, walk)
            self._bind(node.target, _wider(left, right), walk)

    # what an expression holds

    def _kind(self, node: ast.expr | None, walk: _Walk) -> Kind:
        if node is None:
            return Kind.UNKNOWN
        if number(node, walk.scope) is not None:
            return Kind.SCALAR
        path = dotted(node)
        if path is not None and path in walk.kinds:
            return walk.kinds[path]
        if isinstance(node, ast.BinOp):
            return self._binary(node, walk)
        if isinstance(node, ast.Call):
            return self._call(node, walk)
        if isinstance(node, (ast.Subscript, ast.UnaryOp, ast.Attribute)):
            inner = node.operand if isinstance(node, ast.UnaryOp) else node.value
            return self._kind(inner, walk)
        if isinstance(node, ast.IfExp):
            return _wider(self._kind(node.body, walk), self._kind(node.orelse, walk))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._kind(child, walk)
        return Kind.UNKNOWN

    def _binary(self, node: ast.BinOp, walk: _Walk) -> Kind:
        left, right = self._kind(node.left, walk), self._kind(node.right, walk)
        if isinstance(node.op, ast.MatMult):
            return Kind.HALF
        if isinstance(node.op, ast.Pow):
            return Kind.FLOAT if left in (Kind.HALF, Kind.LIKELY_HALF) else left
        if not isinstance(node.op, _ARITHMETIC):
            return Kind.UNKNOWN
        sign = _SIGNS[type(node.op)]
        self._operation(node, sign, left, node.right, walk)
        if sign != "/":
            self._operation(node, sign, right, node.left, walk)
        return _wider(left, right)

    def _call(self, node: ast.Call, walk: _Walk) -> Kind:
        arguments = [self._kind(argument, walk) for argument in node.args]
        for keyword in node.keywords:
            self._kind(keyword.value, walk)
        for binding in self._resolver.resolve(node.func, walk.scope):
            if binding.form is Form.SYMBOL:
                known = _of_op(binding.symbol.rpartition(".")[2], binding.symbol, arguments)
                if known is not None:
                    return known
            elif binding.form is Form.INSTANCE:
                known = _of_layer(binding.symbol, arguments)
                if known is not None:
                    return known
            elif binding.form is Form.FUNCTION and walk.depth < _MAX_DEPTH:
                return self._called(node, binding.node, arguments, walk)
        if isinstance(node.func, ast.Attribute):
            return self._method(node, node.func, walk)
        name = dotted(node.func) or ""
        return Kind.LIKELY_HALF if _NETWORK.search(name) else Kind.UNKNOWN

    def _method(self, node: ast.Call, function: ast.Attribute, walk: _Walk) -> Kind:
        receiver = self._kind(function.value, walk)
        name = function.attr
        if name in _METHODS and node.args:
            self._operation(node, _METHODS[name], receiver, node.args[0], walk)
        if receiver is Kind.UNKNOWN:
            return Kind.LIKELY_HALF if _NETWORK.search(name) and dotted(function) else Kind.UNKNOWN
        if name in ("float", "double") or (name in CAST_TO_FLOAT and receiver is not Kind.SCALAR):
            return Kind.FLOAT
        if name == "half" or name in CAST_TO_HALF:
            return Kind.HALF
        return Kind.UNKNOWN if name in ("to", "type", "item", "tolist", "size", "dim") else receiver

    def _called(self, node: ast.Call, function: ast.AST, arguments: list[Kind], walk: _Walk) -> Kind:
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return Kind.UNKNOWN
        formal = [parameter.arg for parameter in parameters(function)]
        if isinstance(node.func, ast.Attribute) and formal[:1] in (["self"], ["cls"]):
            formal = formal[1:]
        inner = _Walk(
            walk.region, self._resolver.scope_of(function), dict(zip(formal, arguments, strict=False)), walk.depth + 1
        )
        self._statements(function.body, inner)
        returned = [self._kind(item.value, inner) for item in ast.walk(function) if isinstance(item, ast.Return)]
        return returned[0] if len(set(returned)) == 1 else Kind.UNKNOWN

    def _operation(self, node: ast.AST, sign: str, tensor: Kind, other: ast.expr, walk: _Walk) -> None:
        value = number(other, walk.scope)
        if value is not None and tensor in (Kind.HALF, Kind.LIKELY_HALF) and node not in self._found:
            self._found[node] = HalfOperation(node, sign, value, walk.region, tensor is Kind.HALF)


def _wider(left: Kind, right: Kind) -> Kind:
    """The result of arithmetic: torch promotes half with float32 to float32, and numbers adapt to tensors."""
    if Kind.FLOAT in (left, right):
        return Kind.FLOAT
    kinds = {left, right} - {Kind.SCALAR}
    if kinds == {Kind.HALF}:
        return Kind.HALF
    return Kind.LIKELY_HALF if kinds and kinds <= {Kind.HALF, Kind.LIKELY_HALF} else Kind.UNKNOWN


def _of_op(name: str, symbol: str, arguments: list[Kind]) -> Kind | None:
    if not symbol.startswith("torch"):
        return None
    if name in CAST_TO_HALF:
        return Kind.HALF
    if name in CAST_TO_FLOAT or "loss" in name or "cross_entropy" in name:
        return Kind.FLOAT
    return arguments[0] if arguments and symbol.startswith(("torch.nn.functional.", "torch.")) else None


def _of_layer(symbol: str, arguments: list[Kind]) -> Kind | None:
    name = symbol.rpartition(".")[2]
    if not symbol.startswith("torch.nn."):
        return None
    if name in HALF_LAYERS:
        return Kind.HALF
    if name.endswith("Loss") or "Norm" in name or "Softmax" in name:
        return Kind.FLOAT
    return Kind.LIKELY_HALF if name == "Sequential" else (arguments[0] if arguments else None)
