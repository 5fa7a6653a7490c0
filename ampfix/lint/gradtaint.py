"""What an expression takes from gradients: a small taint analysis.

A name holds gradients themselves (an alias: `unscale_` changes what it shows) or a value computed from them. What
survives a scale is free: finiteness, shapes, signs, ratios of two gradients.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Protocol

from ampfix.lint.gradedits import mentions_scale
from ampfix.lint.usage import dotted
from ampfix.patterns import pattern
from ampfix.program.tree import walk
from ampfix.records import dataclass

PARAMETER = pattern(r"^(p|w|wt|v|par|param\w*|parameter\w*|.*weights?|bias|.*_params?|.*_bias)$")
_SHAPES = frozenset(
    {"shape", "dtype", "device", "size", "is_sparse", "layout", "ndim", "grad_fn", "requires_grad", "is_cuda"}
)
_VIEWS = frozenset(
    {"data", "detach", "view", "reshape", "flatten", "ravel", "squeeze", "unsqueeze", "t", "T", "view_as"}
)
_COLLECTIONS = frozenset({"list", "tuple", "filter", "zip", "enumerate", "iter", "reversed", "chain", "from_iterable"})
_FREE = frozenset(
    {
        "isnan", "isinf", "isfinite", "isneginf", "isposinf", "is_nan", "is_inf", "size", "dim", "numel", "nelement",
        "sign", "sgn", "count_nonzero", "nonzero", "argmax", "argmin", "argsort", "cosine_similarity", "data_ptr",
        "type", "get_device", "is_contiguous", "len", "isinstance", "hasattr", "id", "backward", "all_finite",
        "register_hook", "zeros_like", "ones_like", "empty_like", "randn_like",
        "rand_like", "all_reduce", "broadcast", "reduce", "allreduce", "barrier", "zip_longest", "normalize",
    }
)  # fmt: skip
_CLIPS = frozenset({"clip_grad_norm_", "clip_grad_value_"})
_LOGS = pattern(
    r"^_*(print|pprint|info|debug|warning|warn|log|log_\w+|add_scalars?|add_histogram|set_postfix\w*|set_description\w*|"
    r"report_\w+|scalar|histogram|log_dict|tqdm_write|secho|echo)$"
)
_KEEPS = pattern(r"^(update|add|append|put|record|write|track|store|push|set|log|extend)$")
LOGGER = pattern(
    r"meter|metric|log|stat|hist|writer|track|avg|average|record|monitor|wandb|board|summary|mlflow|info", re.I
)


class Kind(Enum):
    """alias: gradients themselves. value: computed from them."""

    ALIAS = "alias"
    VALUE = "value"


@dataclass(frozen=True)
class Source:
    """Where a gradient's value is taken."""

    statement: ast.stmt
    node: ast.AST
    late: bool = False


@dataclass(frozen=True)
class Taint:
    kind: Kind
    sources: frozenset[Source] = frozenset()


Env = dict[str, Taint]


class Helpers(Protocol):
    """What is known of functions that are called."""

    def returns_gradients(self, call: ast.Call) -> bool:
        """Whether what a call returns was computed from gradients."""

    def withholds(self, call: ast.Call, given: tuple[ast.expr, ...]) -> bool:
        """Whether a call gives nothing away of these arguments: neither in what it returns nor on the way."""


class Expressions:
    """Evaluates the expressions of one function. read: the sources whose value reached a decision or a log.

    helpers: what the functions that calls run do with gradients.
    """

    def __init__(self, nodes: Iterable[ast.AST], helpers: Helpers) -> None:
        self._helpers = helpers
        self.iterated = dict(_iterated(nodes))
        self._scales = frozenset(_scales(nodes))
        self.statement: ast.stmt = ast.Pass()
        self.read: dict[Source, None] = {}

    def is_alias(self, node: ast.expr, env: Env) -> bool:
        taint = self.taint(node, env)
        return taint is not None and taint.kind is Kind.ALIAS

    def sink(self, taint: Taint | None) -> None:
        for source in taint.sources if taint is not None else ():
            self.read[source] = None

    def value(self, node: ast.expr, env: Env) -> Taint | None:
        """The taint of something computed from the expression."""
        return self._taken(self.taint(node, env), node)

    def _taken(self, taint: Taint | None, node: ast.AST) -> Taint | None:
        if taint is None or taint.kind is Kind.VALUE:
            return taint
        return Taint(Kind.VALUE, frozenset({Source(self.statement, node)}))

    def taint(self, node: ast.expr | None, env: Env) -> Taint | None:
        handler = getattr(self, f"_{type(node).__name__}", None)
        if handler is not None:
            found: Taint | None = handler(node, env)
            return found
        if node is None or isinstance(node, (ast.Constant, ast.Lambda)):
            return None
        parts = [self.taint(child, env) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        return merged_taint(*parts)

    def _Name(self, node: ast.Name, env: Env) -> Taint | None:
        return env.get(node.id)

    def _Attribute(self, node: ast.Attribute, env: Env) -> Taint | None:
        if node.attr == "grad":
            return Taint(Kind.ALIAS) if self._is_parameter(node.value) else None
        if node.attr in _SHAPES:
            return None
        path = dotted(node)
        if path is not None and path in env:
            return env[path]
        taint = self.taint(node.value, env)
        return taint if node.attr in _VIEWS else self._taken(taint, node)

    def _is_parameter(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            listed = self.iterated.get(node.id)
            return bool(PARAMETER.match(node.id)) or (listed is not None and "param" in ast.unparse(listed))
        if isinstance(node, ast.Subscript):
            return "param" in ast.unparse(node)
        return isinstance(node, ast.Attribute) and bool(PARAMETER.match(node.attr))

    def _Subscript(self, node: ast.Subscript, env: Env) -> Taint | None:
        path = dotted(node)
        return env[path] if path is not None and path in env else self.taint(node.value, env)

    def _Call(self, node: ast.Call, env: Env) -> Taint | None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        receiver = self.taint(function.value, env) if isinstance(function, ast.Attribute) else None
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        taints = [self.taint(argument, env) for argument in arguments]
        if self._logs(node, name):
            for argument, taint in zip(arguments, taints, strict=True):
                self.sink(self._taken(taint, argument))
            return None
        if name in _FREE:
            return None
        if name in _CLIPS:
            return self._returned(node)
        if receiver is not None:
            if name in _VIEWS:
                return receiver
            return None if any(taints) and name in ("div", "div_", "eq", "ne") else self._taken(receiver, node)
        if any(taint is not None for taint in taints):
            merged = merged_taint(*taints)
            if name in _COLLECTIONS:
                return merged
            given = tuple(one for one, taint in zip(arguments, taints, strict=True) if taint is not None)
            return None if self._helpers.withholds(node, given) else self._taken(merged, node)
        return self._returned(node)

    def _returned(self, node: ast.Call) -> Taint | None:
        if self._helpers.returns_gradients(node):
            return Taint(Kind.VALUE, frozenset({Source(self.statement, node, late=True)}))
        return None

    def _logs(self, node: ast.Call, name: str) -> bool:
        if _LOGS.match(name):
            return True
        receiver = dotted(node.func.value) if isinstance(node.func, ast.Attribute) else None
        return bool(_KEEPS.match(name) and receiver and name != "append" and LOGGER.search(receiver))

    def _BinOp(self, node: ast.BinOp, env: Env) -> Taint | None:
        left, right = self.value(node.left, env), self.value(node.right, env)
        if isinstance(node.op, (ast.Div, ast.Mult)) and self._carries_scale(node.right if left else node.left):
            return None
        if isinstance(node.op, ast.Div) and left is not None and right is not None:
            return None
        return merged_taint(left, right)

    def _carries_scale(self, node: ast.expr) -> bool:
        """Whether a factor is the loss scale or computed from it: `inverse = 1.0 / scaler.get_scale()`."""
        return mentions_scale(node) or (isinstance(node, ast.Name) and node.id in self._scales)

    def _Compare(self, node: ast.Compare, env: Env) -> Taint | None:
        sides = [node.left, *node.comparators]
        taints = [self.value(side, env) for side in sides]
        identity = all(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops)
        others = [side for side, taint in zip(sides, taints, strict=True) if taint is None]
        if identity or not others or all(_is_free(side) for side in others):
            return None
        for taint in taints:
            self.sink(taint)
        return None

    def _NamedExpr(self, node: ast.NamedExpr, env: Env) -> Taint | None:
        taint = self.taint(node.value, env)
        if taint is not None:
            env[node.target.id] = taint
        return taint

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, env: Env) -> Taint | None:
        return self.taint(node.elt, self._inside(node.generators, env))

    _ListComp = _SetComp = _GeneratorExp = _comprehension

    def _DictComp(self, node: ast.DictComp, env: Env) -> Taint | None:
        return self.taint(node.value, self._inside(node.generators, env))

    def _inside(self, generators: list[ast.comprehension], env: Env) -> Env:
        inner = dict(env)
        for generator in generators:
            inner = self.bound(generator.target, self.taint(generator.iter, inner), inner)
            for test in generator.ifs:
                self.taint(test, inner)
        return inner

    def bound(self, target: ast.expr, taint: Taint | None, env: Env) -> Env:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                env = self.bound(element, taint, env)
            return env
        path = dotted(target)
        if path is None or (isinstance(target, ast.Attribute) and target.attr in ("grad", "data")):
            return env
        env = dict(env)
        if taint is None:
            env.pop(path, None)
        else:
            env[path] = taint
        return env


def _scales(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that are set to what is computed from a scaler's scale."""
    for node in nodes:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and _reads_scale(node.value):
            yield target.id


def _reads_scale(value: ast.expr) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == "get_scale" for one in walk(value))


def _iterated(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Loop variable -> what it goes over."""
    for node in nodes:
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            for target in walk(node.target):
                if isinstance(target, ast.Name):
                    yield target.id, node.iter


def _is_free(node: ast.expr) -> bool:
    """A bound that holds at any scale: zero, infinity, NaN, or one that carries the scale itself."""
    if isinstance(node, ast.Constant):
        return node.value in (0, None) or isinstance(node.value, (str, bool))
    return bool(re.search(r"\b(inf|nan)\b|\bNone\b", ast.unparse(node), re.IGNORECASE)) or mentions_scale(node)


def merged_taint(*taints: Taint | None) -> Taint | None:
    found = [taint for taint in taints if taint is not None]
    if not found:
        return None
    kind = Kind.VALUE if any(taint.kind is Kind.VALUE for taint in found) else Kind.ALIAS
    return Taint(kind, frozenset().union(*(taint.sources for taint in found)))


def joined(*envs: Env) -> Env:
    names = {name for env in envs for name in env}
    joined = {name: merged_taint(*(env.get(name) for env in envs)) for name in names}
    return {name: taint for name, taint in joined.items() if taint is not None}
