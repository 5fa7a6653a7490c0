"""Constructions of scalers and autocast regions in one file, with their arguments by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import argument
from ampfix.lint.scopes import Scope
from ampfix.lint.symbols import AUTOCASTS, DEFAULT_DTYPE, DTYPES, SCALERS
from ampfix.lint.usage import dotted
from ampfix.program import AutocastOpened, Binding, Form, ScalerBuilt

_SCALER_PARAMETERS = ("init_scale", "growth_factor", "backoff_factor", "growth_interval", "enabled")
_SHARDED_PARAMETERS = ("device", "init_scale", "backoff_factor", "growth_factor", "growth_interval", "enabled")
# Where each class takes (dtype, enabled) positionally; the general ones have the device before them.
_AUTOCAST_POSITIONS = {True: (1, 2), False: (1, 0)}
_SCALER_NAMES = frozenset(symbol.rpartition(".")[2] for symbol in SCALERS)
_AUTOCAST_NAMES = frozenset(symbol.rpartition(".")[2] for symbol in AUTOCASTS)
UNKNOWN = "unknown"


Nodes = Callable[[tuple[type[ast.AST], ...]], Iterable[ast.AST]]


class LifecycleReader:
    """Answers for one module.

    scope_at: the scope a node is evaluated in. nodes: every node of some types.
    """

    def __init__(self, resolver: Resolver, scope_at: Callable[[ast.AST], Scope], nodes: Nodes) -> None:
        self._resolver, self._scope_at, self._nodes = resolver, scope_at, nodes

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
            elif isinstance(node, ast.Assign) and _last_name(node.value) in called:
                called |= {_last_name(target) for target in node.targets}
        for node in self._nodes((ast.Call,)):
            if isinstance(node, ast.Call) and _last_name(node.func) in called:
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
        dtypes = frozenset(self._dtypes(dtype, call, default)) if dtype is not None else {default}
        return AutocastOpened(call, device, frozenset(dtypes), dtype, enabled)

    def _dtypes(self, node: ast.expr, at: ast.AST, default: str) -> Iterator[str]:
        """The dtypes an expression may be; a choice among a table's entries may be any of them. default: for None."""
        table = self._table(node, self._scope_at(at))
        if table is not None:
            for value in table:
                yield from self._dtypes(value, at, default)
            return
        scope = self._scope_at(at)
        for binding in (*self._resolver.resolve(node, scope), *self._by_default(node, scope)):
            if binding.form is Form.NONE:
                yield default
            else:
                yield DTYPES.get(binding.symbol, UNKNOWN) if binding.form is Form.SYMBOL else UNKNOWN

    def _by_default(self, node: ast.expr, scope: Scope) -> Iterator[Binding]:
        """What a field of a parameter holds where nobody sets it: its annotation names a class that says so."""
        for held in self._resolver.resolve(node.value, scope) if isinstance(node, ast.Attribute) else ():
            if held.form is not Form.PARAMETER or held.node.annotation is None or held.scope.parent is None:
                continue
            for kind in self._resolver.resolve(held.node.annotation, held.scope.parent):
                if kind.form is Form.CLASS and isinstance(node, ast.Attribute):
                    yield from self._resolver.attribute_of_class(kind.scope, node.attr)

    def _table(self, node: ast.expr, scope: Scope) -> list[ast.expr] | None:
        """The values of the dict literal that a subscript or `get` reads, also through what is assigned once."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            value, scope = _set_once(node, scope)
            return None if value is None or isinstance(value, ast.Name) else self._table(value, scope)
        holder: ast.expr | None = None
        defaults: list[ast.expr] = []
        if isinstance(node, ast.Subscript):
            holder = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            holder, defaults = node.func.value, node.args[1:]
        if isinstance(holder, (ast.Name, ast.Attribute)):
            holder, _ = _set_once(holder, scope)
        return [*holder.values, *defaults] if isinstance(holder, ast.Dict) else None


def _set_once(node: ast.Name | ast.Attribute, scope: Scope) -> tuple[ast.expr | None, Scope]:
    """What a name, or an attribute of self, is set to where that happens once, and the scope of that place."""
    if isinstance(node, ast.Name):
        definitions = scope.lookup(node.id)
    else:
        owner = scope.owner_class()
        of_self = owner is not None and isinstance(node.value, ast.Name) and node.value.id == scope.self_name()
        definitions = owner.attributes.get(node.attr, []) if owner is not None and of_self else []
    if len(definitions) != 1 or definitions[0].item is not None:
        return None, scope
    return definitions[0].value, definitions[0].scope or scope


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


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
