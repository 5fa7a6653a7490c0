"""Autocast regions: which expressions open one, in which dtype, and whether it is on."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ampfix.lint.conditions import negate
from ampfix.lint.dtypechoice import UNKNOWN, DtypeChoices
from ampfix.lint.frames import Frame, Namer
from ampfix.lint.handed import argument_for
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import argument
from ampfix.lint.scopes import FUNCTIONS, Scope, parameters
from ampfix.lint.symbols import AUTOCASTS, DEFAULT_DTYPE
from ampfix.lint.usage import dotted
from ampfix.program import Always, Binding, Block, Branch, Condition, Do, Form, Role, Site
from ampfix.protocol import Event, EventKind
from ampfix.records import dataclass, replace

# Where each class takes (dtype, enabled) positionally; torch.autocast has the device before them.
_POSITIONS = {"general": (1, 2), "cuda": (1, 0), "cpu": (1, 0)}


@dataclass(frozen=True)
class Region:
    enter: Block
    exit: Block


@dataclass(frozen=True)
class Setting:
    """How one autocast call is set. dtypes: what its dtype may be, "unknown" among them where that is not seen."""

    dtypes: frozenset[str]
    enabled: Condition
    proven: bool
    device: str | None = None

    @property
    def dtype(self) -> str | None:
        """The one half in which the region does something; None: unknown, or one that is not a half."""
        names = self.dtypes - {"float32"} if len(self.dtypes) > 1 else self.dtypes
        name = next(iter(names)) if len(names) == 1 else UNKNOWN
        return None if name in ("float32", UNKNOWN) else name


class RegionReader:
    """Recognises autocast regions in `with` items and decorators."""

    def __init__(
        self, resolver: Resolver, namer: Namer, dtypes: DtypeChoices, site: Callable[[ast.expr, Frame], Site]
    ) -> None:
        self._resolver, self._namer, self._dtypes, self._site = resolver, namer, dtypes, site

    def enter(self, node: ast.expr, frame: Frame, *, as_decorator: bool = False) -> Region | None:
        """The region an expression opens, or None; `autocast() if amp else nullcontext()` opens one on a branch."""
        scope = frame.scope.parent if as_decorator and frame.scope.parent is not None else frame.scope
        opened = [
            binding
            for binding in self._resolver.resolve(node, scope)
            if (as_decorator and binding.form is Form.SYMBOL and binding.symbol in AUTOCASTS)
            or self._resolver.role(binding) is Role.AUTOCAST
        ]
        return self._region(node, [self.setting(binding, frame) for binding in opened], frame) if opened else None

    def _region(self, node: ast.expr, settings: list[Setting], frame: Frame) -> Region:
        site = self._site(node, frame)
        span = site.span.start

        def do(kind: EventKind, dtype: str | None = None) -> Do:
            return Do(Event(kind, dtype=dtype, line=span.line, column=span.column), site)

        off: Block = (do(EventKind.AUTOCAST_ENTER),)
        enter = off
        for setting in reversed(_told_apart(settings)):
            on: Block = (do(EventKind.AUTOCAST_ENTER, setting.dtype or "unknown"), do(EventKind.FORWARD))
            if setting.enabled == Always(True):
                enter = on
            elif setting.enabled != Always(False):
                enter = (Branch(setting.enabled, on, enter),)
        return Region(enter, (do(EventKind.FORWARD), do(EventKind.AUTOCAST_EXIT)))

    def setting(self, binding: Binding, frame: Frame) -> Setting:
        """dtype and switch of an autocast call, in the terms of this frame."""
        device = AUTOCASTS.get(binding.symbol)
        call = binding.node if isinstance(binding.node, ast.Call) else None
        if call is None:
            return Setting(_default(device), Always(True), True, device)
        if any(keyword.arg is None for keyword in call.keywords):
            return self._unpacked(call, binding.scope, device, frame)
        at_dtype, at_enabled = _POSITIONS["general" if device is None else device]
        partial = binding.form is Form.PARTIAL or _is_partial(call, self._resolver, binding)
        shift = 1 if partial else 0
        dtype_node = argument(call, "dtype", at_dtype + shift)
        enabled_node = argument(call, "enabled", at_enabled + shift)
        if device is None:
            device = self._device(argument(call, "device_type", shift))
        dtypes = _default(device)
        if dtype_node is not None:
            of_none = "float32" if _is_off_for_none(enabled_node, dtype_node) else next(iter(dtypes))
            dtypes = self._dtypes.within(*self._from_helper(dtype_node, binding, frame), of_none)
        enabled: Condition = Always(True)
        if enabled_node is not None:
            enabled = self._namer.foreign(enabled_node, binding.scope, frame) or Always(True)
        if binding.guard is not None:
            enabled = self._guarded(binding, enabled, frame)
        return Setting(dtypes, enabled, device is not None or dtype_node is not None, device)

    def _unpacked(self, call: ast.Call, scope: Scope, device: str | None, frame: Frame) -> Setting:
        """Of a region that gets settings from dictionaries: the dtypes that these name."""
        given = {word.arg: (word.value, scope) for word in call.keywords if word.arg is not None}
        held = [word.value for word in call.keywords if word.arg is None]
        tables = [table for one in held for table in self._dtypes.unpacked.tables(one, scope)]
        is_handed = any(isinstance(entries.get("dtype"), ast.Name) for entries, _ in tables)
        found = frozenset[str]()
        switch: Condition = Always(True)
        for entries, there in tables:
            said = given | {name: (value, there) for name, value in entries.items()}
            enabled, kind = (said.get(name, (None, scope)) for name in ("enabled", "device_type"))
            if isinstance(enabled[0], ast.Constant) and not enabled[0].value:
                continue
            if enabled[0] is not None and len(tables) == 1:
                switch = self._namer.foreign(*enabled, frame) or switch
            if "dtype" in said:
                found |= self._dtypes.of(*said["dtype"])
            elif not is_handed:  # else `if dtype is not None: settings["dtype"] = dtype`: the caller's choice
                found |= _default(device or self._device(kind[0]))
        return Setting(found or frozenset({UNKNOWN}), switch, False, device)

    def _guarded(self, binding: Binding, enabled: Condition, frame: Frame) -> Condition:
        assert binding.guard is not None
        guard = self._namer.foreign(binding.guard, binding.scope, frame)
        return enabled if guard is None or enabled == Always(False) else guard

    def _device(self, node: ast.expr | None) -> str | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value.partition(":")[0]
        return None

    def _from_helper(self, node: ast.expr, binding: Binding, frame: Frame) -> tuple[ast.expr, Frame]:
        """An argument of an autocast call; of one in a helper, what a parameter of it was handed, or the constructor
        of its object."""
        inside = binding.scope
        if inside is frame.scope:
            return node, frame
        if binding.built is None or not isinstance(inside.node, FUNCTIONS):
            return node, Frame(inside)
        call, scope = binding.built
        given, there = None, scope
        if isinstance(node, ast.Name):
            names = [one.arg for one in parameters(inside.node)]
            given = argument_for(call, node.id, names[names[:1] == [inside.self_name()] :])
        elif isinstance(node, ast.Attribute) and dotted(node.value) == inside.self_name():
            given, there = self._kept(node.attr, call, scope) or (None, scope)
        if given is None:
            return node, Frame(inside)
        return given, frame if there is frame.scope else Frame(there)

    def _kept(self, name: str, call: ast.Call, scope: Scope) -> tuple[ast.expr, Scope] | None:
        """What the object whose method is called was built with for an attribute."""
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        for held in self._resolver.resolve(receiver, scope) if receiver is not None else ():
            for attribute, given in self._namer.fields.given(held):
                if attribute == name and held.built is not None:
                    return given, held.built[1]
        return None

    def opened_by_hand(self, node: ast.Call, frame: Frame) -> Block | None:
        """`stack.enter_context(region)`, `region.__enter__()` and `region.__exit__(...)`."""
        function = node.func
        if not isinstance(function, ast.Attribute):
            return None
        if function.attr in ("__enter__", "__exit__"):
            region = self.enter(function.value, frame)
            return None if region is None else region.enter if function.attr == "__enter__" else region.exit
        if function.attr in ("enter_context", "enter_async_context") and len(node.args) == 1:
            region = self.enter(node.args[0], frame)
            left = frame.left.get(dotted(function.value) or "")
            if region is not None and left is not None:
                left.append(region.exit)
                return region.enter
        return None


def merged(settings: list[Setting]) -> Setting:
    """The first of several settings, with what the dtype may be of any that is not switched off."""
    on = [one for one in settings if one.enabled != Always(False)] or settings
    return replace(settings[0], dtypes=frozenset[str]().union(*(one.dtypes for one in on)))


def _told_apart(settings: list[Setting]) -> list[Setting]:
    """The settings of which one is entered, where the tests that choose are known; else one for all of them."""
    on = [one for one in settings if one.enabled != Always(False)]
    if len({one.dtypes for one in on}) <= 1:
        return settings[:1]
    if any(isinstance(one.enabled, Always) for one in settings[:-1]):
        return [merged(settings)]
    return settings


def _default(device: str | None) -> frozenset[str]:
    return frozenset({DEFAULT_DTYPE.get(device or "cuda", UNKNOWN)})


def _is_off_for_none(enabled: ast.expr | None, dtype: ast.expr) -> bool:
    """Whether a region with `enabled=dtype is not None` is off where its dtype is None."""
    if isinstance(enabled, ast.Call) and dotted(enabled.func) == "bool" and enabled.args:
        enabled = enabled.args[0]
    if isinstance(enabled, ast.Compare) and isinstance(enabled.ops[0], (ast.IsNot, ast.NotEq)):
        right = enabled.comparators[0]
        enabled = enabled.left if isinstance(right, ast.Constant) and right.value is None else None
    return enabled is not None and dotted(dtype) is not None and dotted(enabled) == dotted(dtype)


def _is_partial(call: ast.Call, resolver: Resolver, binding: Binding) -> bool:
    names = resolver.symbols(call.func, binding.scope)
    return any(name.startswith("functools.partial") for name in names)


__all__ = ["Region", "RegionReader", "Setting", "negate"]
