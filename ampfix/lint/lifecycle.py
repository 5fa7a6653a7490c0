"""Constructions of scalers and autocast regions in one file, with their arguments by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from ampfix.lint.dtypechoice import UNKNOWN, DtypeChoices
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import argument
from ampfix.lint.scopes import Scope
from ampfix.lint.symbols import AUTOCASTS, DEFAULT_DTYPE, SCALERS
from ampfix.lint.usage import dotted
from ampfix.program import AutocastOpened, Form, ScalerBuilt
from ampfix.program.spelling import last_name

_SCALER_PARAMETERS = ("init_scale", "growth_factor", "backoff_factor", "growth_interval", "enabled")
_SHARDED_PARAMETERS = ("device", "init_scale", "backoff_factor", "growth_factor", "growth_interval", "enabled")
# Where each class takes (dtype, enabled) positionally; the general ones have the device before them.
_AUTOCAST_POSITIONS = {True: (1, 2), False: (1, 0)}
_SCALER_NAMES = frozenset(symbol.rpartition(".")[2] for symbol in SCALERS)
_AUTOCAST_NAMES = frozenset(symbol.rpartition(".")[2] for symbol in AUTOCASTS)


Nodes = Callable[[tuple[type[ast.AST], ...]], Iterable[ast.AST]]


class LifecycleReader:
    """Answers for one module.

    scope_at: the scope a node is evaluated in. nodes: every node of some types.
    """

    def __init__(
        self, resolver: Resolver, choices: DtypeChoices, scope_at: Callable[[ast.AST], Scope], nodes: Nodes
    ) -> None:
        self._resolver, self._choices, self._scope_at, self._nodes = resolver, choices, scope_at, nodes

    def scalers(self, parents: Callable[[ast.AST], Iterator[ast.AST]]) -> Iterator[ScalerBuilt]:
        """Every direct call of a scaler class."""
        for call in self._calls(_SCALER_NAMES):
            symbol = self._symbol(call, SCALERS)
            if symbol:
                target = _target(parents(call))
                name = "" if target is None else dotted(target) or ""
                yield ScalerBuilt(call, symbol, _arguments(call, symbol), name, self._is_optional(target))

    def autocasts(self) -> Iterator[AutocastOpened]:
        """Every direct call of an autocast class."""
        for call in self._calls(_AUTOCAST_NAMES):
            symbol = self._symbol(call, AUTOCASTS)
            if symbol:
                yield self._autocast(call, AUTOCASTS[symbol])

    def _calls(self, names: frozenset[str]) -> Iterator[ast.Call]:
        """Calls that may be of one of these names, also under another: resolving every call of a file is slow."""
        called = set(names)
        for node in self._nodes((ast.ImportFrom, ast.Assign)):
            if isinstance(node, ast.ImportFrom):
                called |= {alias.asname for alias in node.names if alias.asname and alias.name in names}
            elif isinstance(node, ast.Assign) and last_name(node.value) in called:
                called |= {last_name(target) for target in node.targets}
        for node in self._nodes((ast.Call,)):
            if isinstance(node, ast.Call) and last_name(node.func) in called:
                yield node

    def _symbol(self, call: ast.Call, table: Iterable[str]) -> str:
        if not isinstance(call.func, (ast.Name, ast.Attribute)):
            return ""
        symbols = self._resolver.symbols(call.func, self._scope_at(call))
        return symbols[0] if symbols and all(symbol in table for symbol in symbols) else ""

    def _is_optional(self, target: ast.expr | None) -> bool:
        held = self._resolver.resolve(target, self._scope_at(target)) if target is not None else ()
        return any(binding.form is Form.NONE for binding in held)

    def _autocast(self, call: ast.Call, device: str | None) -> AutocastOpened:
        at_dtype, at_enabled = _AUTOCAST_POSITIONS[device is None]
        dtype, enabled = argument(call, "dtype", at_dtype), argument(call, "enabled", at_enabled)
        if device is None:
            given = argument(call, "device_type", 0)
            is_text = isinstance(given, ast.Constant) and isinstance(given.value, str)
            device = given.value.partition(":")[0] if is_text else ""  # type: ignore[union-attr]
        if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(a, ast.Starred) for a in call.args):
            return AutocastOpened(call, device, frozenset({UNKNOWN}), dtype, enabled)
        default = DEFAULT_DTYPE.get(device, UNKNOWN)
        dtypes = frozenset({default} if device else {default, DEFAULT_DTYPE["cuda"]})
        if dtype is not None:
            dtypes = self._choices.of(dtype, self._scope_at(call), default)
        return AutocastOpened(call, device, dtypes, dtype, enabled)


def _arguments(call: ast.Call, symbol: str) -> Mapping[str, ast.expr] | None:
    if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    names: tuple[str, ...] = _SCALER_PARAMETERS
    if symbol.startswith("torch.distributed."):
        names = _SHARDED_PARAMETERS
    elif not symbol.startswith(("torch.cuda.", "torch.cpu.")):
        names = ("device", *names)
    return MappingProxyType(
        dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg is not None}
    )


def _target(around: Iterator[ast.AST]) -> ast.expr | None:
    """The only target of the assignment that a call, or a choice between it and None, is the value of."""
    for node in around:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            return node.targets[0]
        if isinstance(node, ast.AnnAssign):
            return node.target
        if not isinstance(node, (ast.IfExp, ast.BoolOp)):
            break
    return None
