"""Calls of libraries' names, and methods of what they make."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ampfix.dryrun import library
from ampfix.dryrun.state import owners_of
from ampfix.dryrun.values import (
    HELD,
    NONE,
    TRUE,
    Bound,
    Choice,
    Function,
    Items,
    Known,
    Library,
    Partial,
    Region,
    Scope,
    StateOf,
    Thing,
    Value,
    leaves,
)

if TYPE_CHECKING:
    from ampfix.dryrun.calls import Calls

_TEXTS = frozenset({"lower", "upper", "strip", "startswith", "endswith", "replace"})


class LibraryCalls:
    """What calls outside the project do."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._state, self._store = calls, calls.state, calls.state.store

    def call(self, symbol: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        """What a call of a library's name gives."""
        last = symbol.rpartition(".")[2]
        given = [*args, *kwargs.values()]
        if library.is_scaler(symbol):
            thing = self._made(symbol, node, scope)
            self._store.put(thing, "enabled", kwargs.get("enabled", TRUE))
            return thing
        if library.is_autocast(symbol):
            return self._autocast(symbol, args, kwargs, node, scope)
        if symbol in library.NO_GRAD:
            return self._calls.call(Region("no_grad"), args, {}, node, scope) if args else Region("no_grad")
        if symbol in library.WITH_GRAD:
            return Region("grad")
        if last == "nullcontext":
            return Region("nothing")
        if last == "set_grad_enabled" and args:
            return self._calls.expressions.decided(args[0], lambda on: Region("grad" if on else "no_grad"))
        if last in ("exit", "_exit") and symbol.partition(".")[0] in ("sys", "os"):
            return Library("builtins.exited")
        if last in ("import_module", "__import__") and args and isinstance(args[0], Known):
            return self._calls.names.located(str(args[0].value), scope.module.path) or Library(str(args[0].value))
        if last == "partial" and args:
            return Partial(args[0], tuple(args[1:]), kwargs)
        if symbol in library.SAVERS or last in ("save_state",):
            self._saved(args[0] if args else kwargs.get("obj", NONE), node, scope)
            return NONE
        if symbol in library.TRANSPARENT and given:
            return args[0] if args else given[0]
        if symbol in library.COPIES and args:
            return self._copied(args[0], node, scope)
        if last in ("OrderedDict", "defaultdict", "EasyDict", "Namespace", "SimpleNamespace"):
            return self._record(last, args, kwargs, node, scope)
        if last in library.CLIPS:
            for owner in self.owners(args[:1]):
                self._state.tell("clip", owner, (), node, scope.module)
        if last in library.NOT_CALLING:
            return Thing(owners=self.owners(given), node=node, path=scope.module.path)
        self.run_handed(given, node, scope, kwargs.get("args") or (kwargs.get("kwargs")))
        if last[:1].isupper() or library.is_optimizer(symbol) or library.is_scheduler(symbol):
            return self._made(symbol, node, scope, self.owners(given))
        return Thing(owners=self.owners(given), node=node, path=scope.module.path)

    def _made(self, symbol: str, node: ast.AST, scope: Scope, owners: frozenset[Thing] = frozenset()) -> Thing:
        return Thing(made_by=symbol, node=node, path=scope.module.path, owners=owners)

    def _record(self, last: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        if last in ("Namespace", "SimpleNamespace"):
            thing = self._made(f"argparse.{last}", node, scope)
            for key, value in kwargs.items():
                self._store.put(thing, key, value)
            return thing
        held = args if last != "defaultdict" else []
        return self._calls.builtins.call("dict", held, kwargs, node, scope)

    def _autocast(self, symbol: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        is_general = symbol in ("torch.autocast", "torch.amp.autocast", "torch.amp.autocast_mode.autocast")
        rest = args[1:] if is_general else args
        names = ("dtype", "enabled") if is_general else ("enabled", "dtype")
        values = dict(zip(names, rest, strict=False)) | kwargs
        device = (args[0] if args else kwargs.get("device_type")) if is_general else Known("cuda")
        region = Region("autocast", values.get("enabled", TRUE), values.get("dtype"), device, node, scope.module.path)
        return self._calls.expressions.each(region.enabled, lambda on: self._switched(region, on))

    def _switched(self, region: Region, enabled: Value) -> Value:
        return self._calls.expressions.decided(
            enabled, lambda on: Region("autocast", Known(on), region.dtype, region.device, region.node, region.path)
        )

    def _copied(self, value: Value, node: ast.AST, scope: Scope) -> Value:
        def copied(one: Value) -> Value:
            if not isinstance(one, Thing):
                return one
            held = self._calls.items(one)
            copy = Thing(one.made_by or "copy.deepcopy", one.cls, one.owners, node, scope.module.path)
            if held is not None:
                self._store.put(copy, HELD, held)
            for name, inner in list(self._store.all_of(one)):
                self._store.put(copy, name, inner)
            return copy

        return self._calls.expressions.each(value, copied)

    # methods

    def method(
        self, value: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        """What a method of a library's object gives."""
        given = [*args, *kwargs.values()]
        if isinstance(value, Known):
            return self._of_text(value, name, args)
        if not isinstance(value, Thing):
            self.run_handed(given, node, scope)
            return self._state.unknown(owners=self.owners(given))
        known = getattr(self, f"_on_{name}", None)
        if known is not None:
            found: Value | None = known(value, args, kwargs, node, scope)
            if found is not None:
                return found
        if name == "requires_grad_":
            self._state.train(value, args[0] if args else TRUE)
        if name in library.SELF_RETURNING:
            return value
        if name in ("parameters", "named_parameters", "named_modules", "modules", "children", "requires_grad_"):
            return self._state.unknown(owners=value.owners | self._state.parts_of(value))
        if name == "forward" or name.startswith(("forward_", "generate", "sample", "encode", "decode", "predict")):
            made = self._state.forwarded(value, given, node, scope.module)
            return self._state.unknown(owners=self.owners(given) | {value} | made)
        if name in library.PLAIN:
            return self._state.unknown()
        self.run_handed(given, node, scope)
        return self._state.unknown(owners=self.owners([value, *given]))

    def _of_text(self, value: Known, name: str, args: list[Value]) -> Value:
        plain = [one.value for one in args if isinstance(one, Known)]
        if isinstance(value.value, str) and name in _TEXTS and len(plain) == len(args):
            try:
                return Known(getattr(value.value, name)(*plain))
            except TypeError:
                return self._state.unknown()
        return self._state.unknown("text", value, name, *args)

    def _on_train(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        self._store.put(thing, "training mode", args[0] if args else TRUE)
        return thing

    def _on_eval(self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope) -> Value:
        self._store.put(thing, "training mode", Known(False))
        return thing

    def _on_scale(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        if not args or not _may_scale(thing):
            return None
        self._state.tell("scale", thing, tuple(args), node, scope.module)
        return self._state.unknown(owners=self.owners(args) | {thing})

    def _on_step(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        if library.is_scheduler(thing.made_by):
            self._state.tell("scheduler step", thing, tuple(args), node, scope.module)
        elif args and _may_scale(thing) and isinstance(args[0], Thing | Choice):
            enabled = self._store.get(thing, "enabled") or TRUE
            if self._state.truth(enabled) is False:
                self._state.tell("optimizer step", args[0], (), node, scope.module)
            self._calls.expressions.decided(
                enabled, lambda on: self._stepped(thing, args[0], node, scope) if on else NONE
            )
        else:
            self._state.tell("optimizer step", thing, tuple(args), node, scope.module)
        self.run_handed([*args, *kwargs.values()], node, scope)
        return self._state.unknown()

    def _stepped(self, scaler: Thing, optimizer: Value, node: ast.AST, scope: Scope) -> Value:
        for one in leaves(optimizer):
            self._state.tell("step", scaler, (one,), node, scope.module)
        return NONE

    def _on_update(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        if library.is_scaler(thing.made_by):
            self._state.tell("update", thing, tuple(args), node, scope.module)
            return NONE
        return None

    def _on_unscale_(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        self._state.tell("unscale", thing, tuple(args), node, scope.module)
        return NONE

    def _on_backward(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        loss = thing if not args or not isinstance(args[0], Thing) or thing.owners else args[0]
        self._state.tell("backward", loss, (), node, scope.module)
        return NONE

    def _on_state_dict(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        return StateOf(thing, self._state.here(node, scope.module))

    def _on_load_state_dict(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        self._state.tell("restored", thing, tuple(args), node, scope.module)
        return self._state.unknown()

    def _on_prepare(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        if len(args) == 1:
            return args[0]
        return Items.listed(args) if args else None

    _on_setup = _on_prepare

    def _on_unwrap_model(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        return args[0] if args else None

    def _on_save(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        if args and any(isinstance(one, StateOf) for one in self.parts(args[0])):
            self._saved(args[0], node, scope)
            return NONE
        return None

    def _on_enter_context(
        self, thing: Thing, args: list[Value], kwargs: dict[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        if args and isinstance(args[0], Region) and args[0].kind == "autocast":
            self._state.regions.append(args[0])
        return args[0] if args else None

    # what is handed to unseen code

    def run_handed(self, values: list[Value], node: ast.AST, scope: Scope, handed: Value | None = None) -> None:
        """Run the functions that unseen code is handed: it may call them."""
        held = self._calls.items(handed) if handed is not None else None
        args = [value for _, value in held.entries] if held is not None else []
        for one in values:
            if isinstance(one, Partial | Bound) and isinstance(one.function, Function):
                self._calls.call(one, list(args), {}, node, scope)
            elif isinstance(one, Function):
                missing = len(one.node.args.args) - len(one.node.args.defaults) - len(args)
                front = [self._state.unknown() for _ in range(max(0, missing))] if args else []
                self._calls.run(one, [*front, *args], {}, node, scope)

    # what values are made of

    def parts(self, value: Value, depth: int = 4) -> Iterator[Value]:
        """What a value is made of: itself, and all that containers in it hold."""
        for leaf in leaves(value):
            held = self._calls.items(leaf)
            if held is None:
                yield leaf
            elif depth:
                for _, one in held.entries:
                    yield from self.parts(one, depth - 1)

    def owners(self, values: list[Value]) -> frozenset[Thing]:
        return owners_of([part for value in values for part in self.parts(value)])

    def _saved(self, value: Value, node: ast.AST, scope: Scope) -> None:
        for leaf in leaves(value):
            parts = tuple(self._kept(leaf))
            if parts:
                kept, states = tuple(one for _, one in parts), tuple(one for one, _ in parts)
                self._state.tell("saved", kept[0], kept, node, scope.module, whole=self._whole(leaf), states=states)

    def _kept(self, value: Value) -> Iterator[tuple[Value, Thing]]:
        for part in self.parts(value):
            if isinstance(part, StateOf):
                yield part, part.thing
            elif isinstance(part, Thing) and part.made_by:
                yield part, part

    def _whole(self, value: Value) -> bool:
        held = self._calls.items(value)
        return held is None or (held.whole and all(self._seen(key, one) for key, one in held.entries))

    def _seen(self, key: Value, value: Value) -> bool:
        """Whether an entry of a checkpoint hides no state: of settings it does not matter what else is in them."""
        held = self._calls.items(value)
        states = any(isinstance(one, StateOf) for one in self.parts(value))
        if held is None:
            is_scaler = isinstance(key, Known) and "scaler" in str(key.value).lower()
            return states or isinstance(value, Known) or not is_scaler
        return self._whole(value) if held.whole or states else bool(held.entries)


def _may_scale(thing: Thing) -> bool:
    """Whether a thing may be a scaler: it is one, or nothing shows what it is."""
    return library.is_scaler(thing.made_by) or not thing.made_by
