"""What a dry run knows while it goes on, shared by those that follow statements, expressions and calls."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ampfix.dryrun.records import Event, Place
from ampfix.dryrun.store import Store
from ampfix.dryrun.values import Choice, Function, Items, Known, ModuleOf, Region, Test, Thing, Value, leaves

_MAX_YIELDED = 20  # values of one generator
_BUDGET = 60_000  # expressions and statements of one run; 95 of 100 programs that train take less than 28,000
_TRAINABLE = "its parameters are trained"  # a name in the store

_Come = TypeVar("_Come")


class OutOfBudget(Exception):
    """The run has become too long."""


class State:
    """Store, events, and the stacks of calls, regions and modes."""

    def __init__(self) -> None:
        self.store = Store()
        self.events: list[Event] = []
        self.calls: list[Place] = []
        self.running: list[ast.AST] = []  # the functions that are under way
        self.regions: list[Region] = []
        self.grad: list[bool] = [True]
        self.steps = 0
        self.started: list[Function] = []  # that a library's decorator makes starts of a program
        self.yielded: list[list[Value]] = []  # by the generators that are running
        self._made: dict[object, Thing] = {}
        self.changes = Counter[Value]()  # how often attributes of an object were set
        self.reached: set[tuple[str, int]] = set()  # path and line of each function that was run

    def spend(self) -> None:
        self.steps += 1
        if self.steps > _BUDGET:
            raise OutOfBudget

    def yields(self, values: list[Value]) -> None:
        if self.yielded and len(self.yielded[-1]) < _MAX_YIELDED:
            self.yielded[-1] += values

    def tell(
        self,
        kind: str,
        subject: Value,
        others: tuple[Value, ...],
        node: ast.AST,
        module: ModuleOf,
        *,
        whole: bool = True,
        made: Thing | None = None,
        states: tuple[Value, ...] = (),
    ) -> None:
        """Record that something happens here."""
        for one in leaves(subject):
            if isinstance(one, Thing):
                mode = self.store.get(one, "training mode")
                stack = self.here(node, module)
                region = self.regions[-1] if self.regions else None
                assumed = tuple(self.store.assumed.items())
                grad = self.grad[-1]
                self.events.append(
                    Event(kind, one, others, stack, assumed, region, grad, mode, whole, module.path, made, states)
                )

    def forwarded(self, model: Thing, given: list[Value], node: ast.AST, module: ModuleOf) -> frozenset[Thing]:
        """Record a forward. What it gives has an owner of its own where no gradients go back to the model."""
        made = None if self.grad[-1] else Thing(node=node, path=module.path)
        self.tell("forward", model, tuple(given), node, module, made=made)
        return frozenset[Thing]() if made is None else frozenset({made})

    def here(self, node: ast.AST, module: ModuleOf) -> tuple[Place, ...]:
        """The calls under way, and a place in the innermost."""
        return (*self.calls, self._placed(node, module))

    def _placed(self, node: ast.AST, module: ModuleOf) -> Place:
        function = self.running[-1] if self.running else None
        return Place(module.path, getattr(node, "lineno", 1), getattr(node, "col_offset", 0), node, function)

    @contextmanager
    def calling(self, node: ast.AST, module: ModuleOf, function: ast.AST) -> Iterator[None]:
        """Inside it a function runs that is called by a node."""
        self.calls.append(self._placed(node, module))
        self.running.append(function)
        try:
            yield
        finally:
            self.calls.pop()
            self.running.pop()

    @contextmanager
    def inside(self, region: Region) -> Iterator[None]:
        """Inside it a region, or a mode of gradients, is open."""
        if region.kind == "autocast":
            self.regions.append(region)
            try:
                yield
            finally:
                self.regions.pop()
        elif region.kind in ("no_grad", "grad"):
            self.grad.append(region.kind == "grad")
            try:
                yield
            finally:
                self.grad.pop()
        else:
            yield

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Inside it no region is open and no call is under way: as at the top of a module."""
        before = self.regions, self.grad, self.calls, self.running
        self.regions, self.grad, self.calls, self.running = [], [True], [], []
        try:
            with self.store.at_the_base():
                yield
        finally:
            self.regions, self.grad, self.calls, self.running = before

    def unknown(self, *key: object, owners: frozenset[Thing] = frozenset(), made_by: str = "") -> Thing:
        """An unknown value: the same one for the same key."""
        if not key:
            return Thing(made_by=made_by, owners=owners)
        if key not in self._made:
            self._made[key] = Thing(made_by=made_by, owners=owners)
        return self._made[key]

    def train(self, trained: Value, whether: Value) -> None:
        """Parameters, or those of a model, are to be trained or not."""
        if isinstance(trained, Thing) and isinstance(whether, Known):
            for model in self.parts_of(trained) if is_made(trained) else trained.owners:
                self.store.put(model, _TRAINABLE, whether)

    def parts_of(self, model: Thing) -> frozenset[Thing]:
        """A model and the models in it that are to be trained."""
        held = self.store.held() if model.cls is not None else {}
        parts, pending = {model}, list(held.get(model, ()))
        while pending:
            for leaf in leaves(pending.pop()):
                if isinstance(leaf, Items):
                    pending += [value for _, value in leaf.entries]
                elif isinstance(leaf, Thing) and leaf not in parts and self._is_trained_part(leaf):
                    parts.add(leaf)
                    pending += held.get(leaf, ())
        return frozenset(parts)

    def _is_trained_part(self, thing: Thing) -> bool:
        """Whether a thing that a model holds is a model in it that is not frozen, or a container of some."""
        is_part = thing.made_by.startswith(("torch.nn.", "builtins.")) or (
            thing.cls is not None and bool(thing.made_by)
        )
        return is_part and self.store.get(thing, _TRAINABLE) != Known(False)

    def decided(
        self, value: Value, use: Callable[[bool], _Come], asked: Callable[[Test, Callable[[bool], _Come]], _Come]
    ) -> _Come:
        """What comes of the truth of a value. asked: what comes of a test that decides it, both ways."""
        truth = self.truth(value)
        if isinstance(truth, bool):
            return use(truth)
        if isinstance(truth, Test):
            return asked(truth, use)
        return asked(truth.test, lambda holds: self.decided(truth.yes if holds else truth.no, use, asked))

    def truth(self, value: Value) -> bool | Test | Choice:
        """Whether a value counts as true: an answer, the test that decides it, or a choice of constants."""
        value = self.store.resolved(value)
        if isinstance(value, Known):
            return bool(value.value)
        if isinstance(value, Choice):
            return value
        if isinstance(value, Thing) and not is_made(value):
            test = Test(value)
            answer = self.store.answer(test)
            return test if answer is None else answer
        return True


def is_made(thing: Thing) -> bool:
    """Whether a thing is an object that is seen to be made, and so is not None."""
    return bool(thing.made_by or thing.cls)


def owners_of(values: Iterator[Value] | tuple[Value, ...] | list[Value]) -> frozenset[Thing]:
    """The models and scalers that values are made by."""
    found = set[Thing]()
    for value in values:
        for leaf in leaves(value):
            if isinstance(leaf, Thing):
                found |= leaf.owners
    return frozenset(found)
