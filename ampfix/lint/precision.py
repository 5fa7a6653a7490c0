"""Reads autocast regions with what they cover, and casts to half, of one module."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from ampfix.lint.frames import Frame
from ampfix.lint.handed import Handed
from ampfix.lint.regions import RegionReader, merged
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import argument
from ampfix.lint.scopes import Scope
from ampfix.lint.symbols import AUTOCASTS, DEFAULT_DTYPE, DTYPES
from ampfix.program import Always, Binding, CoveredRegion, Form, HalfCast, Role
from ampfix.records import replace
from ampfix.rules._shapes import own

_CAST_METHODS = {"half": "float16", "bfloat16": "bfloat16"}
_HALVES = ("float16", "bfloat16")


class PrecisionReader:
    """Answers for one module. `scope_at` gives the scope a node is evaluated in."""

    def __init__(
        self, resolver: Resolver, regions: RegionReader, handed: Handed, scope_at: Callable[[ast.AST], Scope]
    ) -> None:
        self._resolver, self._regions, self._handed, self._scope_at = resolver, regions, handed, scope_at

    def regions(self, nodes: Iterable[ast.AST]) -> Iterator[CoveredRegion]:
        """The regions that `with` statements and decorators open, switched-off ones included."""
        for node in nodes:
            decorators = getattr(node, "decorator_list", [])
            for opening in (*(item.context_expr for item in getattr(node, "items", ())), *decorators):
                region = self._region(node, opening, is_decorator=bool(decorators))
                if region is not None:
                    yield region

    def _region(self, node: ast.AST, opening: ast.expr, *, is_decorator: bool) -> CoveredRegion | None:
        scope = self._scope_at(node)
        bindings = self._handed.region(opening, scope)
        opened = [
            binding
            for binding in bindings
            if (is_decorator and binding.form is Form.SYMBOL and binding.symbol in AUTOCASTS)
            or self._resolver.role(binding) is Role.AUTOCAST
        ]
        if opened:
            acting = next((binding for binding in opened if not self._is_off(binding, scope)), opened[0])
            region = self._covered(node, opening, acting, scope, sole=len(bindings) == 1)
            if self._are_off(bindings, scope):
                return replace(region, enabled=False)
            return region if len(opened) == 1 else self._chosen(region, opened, scope)
        return self._managed(node, opening, scope) if isinstance(opening, ast.Call) else None

    def _chosen(self, region: CoveredRegion, opened: list[Binding], scope: Scope) -> CoveredRegion:
        """A region that is one of several."""
        dtypes = merged([self._regions.setting(binding, Frame(scope)) for binding in opened]).dtypes
        return replace(region, dtype=region.dtype if dtypes == region.dtypes else None, dtypes=dtypes)

    def _managed(self, node: ast.AST, opening: ast.Call, scope: Scope) -> CoveredRegion | None:
        """The region in which a context manager, written as a generator, yields on some path."""
        for function in self._resolver.resolve(opening.func, scope):
            if function.form is not Form.FUNCTION or not isinstance(function.node, ast.FunctionDef):
                continue
            if not function.node.decorator_list:
                continue
            if function.scope.file is not None:
                function.scope.file.index_around(function.node)
            yields = [one for one in own(function.node) if isinstance(one, ast.Yield)]
            for inner in own(function.node) if yields else ():
                if not isinstance(inner, ast.With) or not any(one in own(inner) for one in yields):
                    continue
                for item in inner.items:
                    for binding in self._resolver.resolve(item.context_expr, function.scope):
                        if self._resolver.role(binding) is Role.AUTOCAST:
                            region = self._covered(node, opening, binding, function.scope, sole=len(yields) == 1)
                            return replace(region, opening=opening, call=None)
        return None

    def _are_off(self, bindings: Iterable[Binding], scope: Scope) -> bool:
        """Whether nothing that may be entered acts: each is switched off in so many words, or a null context."""
        return all(binding.symbol == "contextlib.nullcontext" or self._is_off(binding, scope) for binding in bindings)

    def _is_off(self, binding: Binding, scope: Scope) -> bool:
        is_region = self._resolver.role(binding) is Role.AUTOCAST
        return is_region and self._regions.setting(binding, Frame(scope)).enabled == Always(False)

    def _covered(
        self, node: ast.AST, opening: ast.expr, binding: Binding, scope: Scope, *, sole: bool
    ) -> CoveredRegion:
        setting = self._regions.setting(binding, Frame(scope))
        call = binding.node if isinstance(binding.node, ast.Call) else None
        device = AUTOCASTS.get(binding.symbol)
        if device is None and call is not None:
            given = argument(call, "device_type", 0)
            is_text = isinstance(given, ast.Constant) and isinstance(given.value, str)
            device = given.value.partition(":")[0] if is_text else ""  # type: ignore[union-attr]
        known = sole and isinstance(setting.enabled, Always)
        enabled = setting.enabled.value if known and isinstance(setting.enabled, Always) else None
        is_unpacked = call is not None and any(word.arg is None for word in call.keywords)
        explicit = is_unpacked or (call is not None and argument(call, "dtype", 1) is not None)
        dtype = setting.dtype if explicit else DEFAULT_DTYPE.get(device or "")
        return CoveredRegion(node, opening, call, device or "", dtype, enabled, setting.dtypes)

    def casts(self, calls: Iterable[ast.AST]) -> Iterator[HalfCast]:
        """Calls that cast their receiver to half: `half()`, `bfloat16()`, `to(torch.float16)`, `type(torch.half)`."""
        for call in calls:
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            method, receiver = call.func.attr, call.func.value
            if method in _CAST_METHODS and not call.args and not call.keywords:
                yield HalfCast(call, receiver, _CAST_METHODS[method])
            elif method in ("to", "type") and (dtype := self._dtype(call)) is not None:
                yield HalfCast(call, receiver, dtype)

    def _dtype(self, call: ast.Call) -> str | None:
        values = [*call.args[:2], *(keyword.value for keyword in call.keywords if keyword.arg in ("dtype", "dst_type"))]
        for value in values:
            found = self.dtype(value)
            if found is not None:
                return found
        return None

    def dtype(self, node: ast.expr) -> str | None:
        """ "float16" or "bfloat16" where an expression can be nothing else."""
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return None
        bindings = self._resolver.resolve(node, self._scope_at(node))
        names = {DTYPES.get(b.symbol) if b.form is Form.SYMBOL else None for b in bindings}
        name = names.pop() if len(names) == 1 else None
        return name if name in _HALVES else None
