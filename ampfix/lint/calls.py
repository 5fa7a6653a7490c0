"""What one call means for a training step: the events of torch's AMP vocabulary."""

from __future__ import annotations

import ast
import re

from ampfix.lint.anchor import anchored
from ampfix.lint.clips import ClipReader, has_no_limit, owner_of
from ampfix.lint.conditions import negate, required
from ampfix.lint.frames import Frame, Namer
from ampfix.lint.goneon import goes_on, hangs_on_a_gradient
from ampfix.lint.gradreader import GradientReader
from ampfix.lint.guards import sets_gradients
from ampfix.lint.losses import (
    is_loss,
    is_of_torch,
    loss_name,
    scaled_by_hand,
    scaling,
    takes_closure,
    tests_around,
)
from ampfix.lint.ownclip import is_own_clip
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import Roles, argument
from ampfix.lint.schedules import is_schedule
from ampfix.lint.skips import SkipReader
from ampfix.lint.usage import dotted, is_harmless, names_optimizers, names_schedulers
from ampfix.patterns import pattern
from ampfix.program import AllOf, Always, Block, Branch, Condition, Do, Form, Fresh, Opaque, Role, Site
from ampfix.protocol import Event, EventKind
from ampfix.records import dataclass

_WRAPPERS = pattern(r"accelerator|fabric|engine|strategy|deepspeed|ctx|context|_fn$", re.IGNORECASE)
# Builtins that only list what they are handed, or look at it. (`id` and `getattr` ask what was done to it.)
_LOOKING = frozenset({"zip", "enumerate", "len", "list", "tuple", "iter", "reversed", "isinstance", "print", "type"})


@dataclass(frozen=True)
class Scaled:
    """A value that carries a loss scale. switch: when that scaler is on."""

    scaler: str
    proven: bool
    switch: Condition


class CallReader:
    """Reads calls inside frames into events."""

    def __init__(self, resolver: Resolver, roles: Roles, namer: Namer, path: str) -> None:
        self._resolver, self._roles, self.namer, self._path = resolver, roles, namer, path
        self.handed, self._skips = roles.handed, SkipReader(resolver, roles.handed)
        self.clips = ClipReader(resolver, namer)
        self.gradients = GradientReader(resolver, namer, self._event)
        self.owners: dict[str, frozenset[str]] = {}  # optimizer -> whose parameters it was built over
        self.unclear: set[str] = set()  # scalers whose switch is not seen

    def site(self, node: ast.AST, frame: Frame, *, proven: bool = True) -> Site:
        """Where a node of this frame lies, in its own file."""
        file = frame.scope.file
        assert file is not None, "only the scopes of files are lowered"
        return Site(
            file.spans.span(node),
            file.spans.span(frame.statement if frame.statement is not None else node),
            frame.qualname,
            frame.tests,
            frame.loops,
            self.namer.names_here(frame),
            frame.call,
            proven,
            file.path,
        )

    def read(self, node: ast.Call, frame: Frame) -> Block | None:
        """The events of a call, () for one that is known to do nothing, None for one to be followed."""
        if self.clips.is_clip(node, frame):
            return () if has_no_limit(node, frame.scope) else (self._clip(node, frame),)
        if not isinstance(node.func, ast.Attribute):
            return None
        method = getattr(self, f"_method_{node.func.attr}", None)
        found: Block | None = method(node, node.func.value, frame) if method is not None else None
        if found is None and is_own_clip(node, frame.scope.node):
            return (self._event(EventKind.CLIP, node, frame, proven=True),)
        return found

    def role(self, node: ast.expr, frame: Frame) -> Role:
        """What an expression is to a training step."""
        return self._roles.of(node, frame).role

    def augmented(self, node: ast.AugAssign, frame: Frame) -> Block:
        """`p.grad *= coefficient` as an own clip."""
        return (self._event(EventKind.CLIP, node, frame, proven=True),) if is_own_clip(node, frame.scope.node) else ()

    def _event(
        self, kind: EventKind, node: ast.AST, frame: Frame, *, proven: bool, subject: str = "", **fields: object
    ) -> Do:
        site = self.site(node, frame, proven=proven)
        start, here = site.span.start, anchored(site, self._path)
        path = "" if here is site else site.path
        return Do(Event(kind, path=path, line=start.line, column=start.column, **fields), here, subject)  # type: ignore[arg-type]

    # clipping

    def _clip(self, node: ast.Call, frame: Frame) -> Do:
        clip = self.clips.read(node, frame)
        return self._event(
            EventKind.CLIP,
            node,
            frame,
            proven=True,
            subject=clip.owner,
            optimizers=clip.optimizers,
            linear=clip.scaled,
        )

    # scalers

    def _scaler(self, node: ast.expr, frame: Frame) -> tuple[str, bool] | None:
        guess = self._roles.of(node, frame)
        path = self.namer.canonical(node, frame)
        if guess.role is not Role.SCALER or path is None or _is_own_self(node, frame):
            return None
        return path, guess.proven

    def _switch(self, node: ast.expr, frame: Frame) -> Condition:
        """When the scaler does anything; taken as always where that is not seen."""
        switch = self.namer.switch(node, frame)
        held = self._roles.held(node, frame)  # a stand-in for the scaler, where AMP is off
        may_be_other = any(b.form is Form.OBJECT and self._resolver.role(b) is Role.OTHER for b in held)
        if (switch is None or may_be_other) and (path := self.namer.canonical(node, frame)) is not None:
            self.unclear.add(path)
        return Always(True) if switch is None else switch

    def _switched(self, node: ast.expr, frame: Frame, on: Block, off: Block) -> Block:
        return _under(self._switch(node, frame), on, off)

    def scale_call(self, node: ast.expr, frame: Frame) -> Scaled | None:
        """The scaler whose `scale(...)` the expression contains, here or where a caller passed it in."""
        for scaler in scaling(node):
            found = self._scaler(scaler, frame)
            if found is not None:
                return Scaled(*found, self._when(scaler, node, frame))
        if isinstance(node, ast.Name) and node.id in frame.arguments:
            return self.scale_call(*frame.arguments[node.id])
        return None

    def _when(self, scaler: ast.expr, node: ast.expr, frame: Frame) -> Condition:
        """When an expression scales: its scaler is on, and the tests around it choose `scaler.scale(loss)`."""
        around = ((self.namer.condition(test, frame), truth) for test, truth in tests_around(scaler, node))
        tests = tuple(condition if truth else negate(condition) for condition, truth in around)
        switch = self._switch(scaler, frame)
        return AllOf((*tests, switch)) if tests else switch

    def scales(self, value: ast.expr, frame: Frame) -> tuple[str, Condition] | None:
        """The scaler a value carries (`loss = scaler.scale(loss)`), and when that scaler is on."""
        found = self.scale_call(value, frame)
        return None if found is None else (found.scaler, found.switch)

    def _method_scale(self, node: ast.Call, receiver: ast.expr, frame: Frame) -> Block | None:
        found = self._scaler(receiver, frame)
        if found is None:
            return None
        scale = self._event(EventKind.SCALE, node, frame, proven=found[1], scaler=found[0])
        there = self.namer.condition(ast.Compare(receiver, [ast.IsNot()], [ast.Constant(None)]), frame)
        return (*required(there), *self._switched(receiver, frame, (scale,), ()))

    def _method_backward(self, node: ast.Call, receiver: ast.expr, frame: Frame) -> Block | None:
        gradient = argument(node, "gradient", 0)
        if self._resolver.symbols(node.func, frame.scope) == ["torch.autograd.backward"] and node.args:
            receiver, gradient = node.args[0], argument(node, "grad_tensors", 1)
        elif isinstance(node.func, ast.Attribute) and self._is_defined(node.func, frame):
            return None
        elif node.args and (self._is_wrapper(receiver, frame) or is_loss(node.args[0])):
            return (Opaque(),)  # it scales as it likes
        if goes_on(receiver, gradient, frame):
            return (Opaque(),)  # scaled as that gradient is
        if any(_is_own_self(scaler, frame) for scaler in scaling(receiver)):
            return (Opaque(),)  # in a class that is a scaler
        scaled = self.scale_call(receiver, frame)
        plain = self._event(
            EventKind.BACKWARD,
            node,
            frame,
            proven=True,
            subject=self.namer.canonical(loss_name(receiver), frame) or "",
            manual_scale=scaled_by_hand(receiver, frame),
        )
        if scaled is None:
            return (plain,)
        event = self._event(EventKind.BACKWARD, node, frame, proven=scaled.proven, scaler=scaled.scaler)
        return _under(scaled.switch, (event,), (plain,))

    def _is_defined(self, method: ast.Attribute, frame: Frame) -> bool:
        """Whether the definition of a method can be seen."""
        if any(binding.form is Form.FUNCTION for binding in self._roles.held(method, frame)):
            return True
        owners = (self._resolver.scope_of(held.node) for held in self.handed.objects(method.value, frame.scope))
        return any(True for owner in owners for _ in self._resolver.attribute_of_class(owner, method.attr))

    def _is_wrapper(self, node: ast.expr, frame: Frame) -> bool:
        """Whether `node.backward(loss)` is a framework's, or an optimizer's that scales by itself."""
        return bool(_WRAPPERS.search(dotted(node) or "")) or self._roles.of(node, frame).role is Role.OPTIMIZER

    def _method_unscale_(self, node: ast.Call, receiver: ast.expr, frame: Frame) -> Block | None:
        found = self._scaler(receiver, frame)
        target = argument(node, "optimizer", 0)
        if found is None or target is None:
            return None
        optimizer = self.namer.canonical(target, frame)
        if optimizer is None or hangs_on_a_gradient(target):  # which is no optimizer
            return (Opaque(),)
        self._learn_owners(target, optimizer, frame)
        event = self._event(EventKind.UNSCALE, node, frame, proven=found[1], scaler=found[0], optimizers=(optimizer,))
        return self._switched(receiver, frame, (event,), ())

    def _method_update(self, node: ast.Call, receiver: ast.expr, frame: Frame) -> Block | None:
        found = self._scaler(receiver, frame)
        if found is None:
            return None
        forced = bool(node.args or node.keywords)
        event = self._event(EventKind.UPDATE, node, frame, proven=found[1], scaler=found[0], forced=forced)
        return self._switched(receiver, frame, (event,), ())

    def _method_replay(self, _node: ast.Call, _receiver: ast.expr, _frame: Frame) -> Block | None:
        """A CUDA graph runs again what was captured elsewhere, a backward as a rule."""
        return (Opaque(),)

    # steps

    def _method_step(self, node: ast.Call, receiver: ast.expr, frame: Frame) -> Block | None:
        guess = self._roles.of(receiver, frame)
        path = self.namer.canonical(receiver, frame)
        if guess.role is Role.SCALER and path is not None:
            if _is_own_self(receiver, frame):
                return ()
            return self._scaler_step(node, receiver, path, frame, proven=guess.proven)
        if guess.role is Role.OPTIMIZER and path is not None and is_of_torch(node):
            self._learn_owners(receiver, path, frame)
            event = self._event(EventKind.OPTIMIZER_STEP, node, frame, proven=guess.proven, optimizers=(path,))
            # A closure computes new gradients inside the step, and some loops write them by hand.
            own = takes_closure(node, 0) or sets_gradients(frame.scope.node, frame.statement)
            return (Opaque((path,)), event, Opaque((path,))) if own else (event,)
        held = self._resolver.resolve(receiver, frame.scope) if not node.args else ()
        if guess.role is Role.OTHER and not node.args:  # of a class of the project, which a caller may have built
            held = self._roles.held(receiver, frame)
        by_hand = any(binding.form is Form.OBJECT and is_schedule(binding.node) for binding in held)
        if guess.role is Role.SCHEDULER or by_hand or (path and not node.args and names_schedulers(path)):
            proven = guess.role is Role.SCHEDULER and guess.proven and not by_hand
            return (self._scheduler_step(node, receiver, frame, proven=proven),)
        return None

    def _scaler_step(self, node: ast.Call, receiver: ast.expr, scaler: str, frame: Frame, *, proven: bool) -> Block:
        target = argument(node, "optimizer", 0)
        optimizer = None if target is None else self.namer.canonical(target, frame)
        if target is None or optimizer is None:
            return (Opaque(),)
        self._learn_owners(target, optimizer, frame)
        event = self._event(EventKind.SCALER_STEP, node, frame, proven=proven, scaler=scaler, optimizers=(optimizer,))
        raw = self._event(EventKind.OPTIMIZER_STEP, node, frame, proven=proven, optimizers=(optimizer,))
        switched = self._switched(receiver, frame, (event,), (raw,))
        if takes_closure(node, 1):
            return (Opaque((optimizer,)), *switched, Opaque((optimizer,)))
        return switched

    def _scheduler_step(self, node: ast.Call, receiver: ast.expr, frame: Frame, *, proven: bool) -> Do:
        built = self._roles.instance(receiver, frame, Role.SCHEDULER)
        plateau = built is not None and "ReduceLROnPlateau" in built.symbol
        guarded = bool(node.args or node.keywords) or plateau or self._skips.is_guarded(frame)
        scheduler = self.namer.canonical(receiver, frame) or ast.unparse(receiver)
        return self._event(EventKind.SCHEDULER_STEP, node, frame, proven=proven, guarded=guarded, scheduler=scheduler)

    def _method_zero_grad(self, node: ast.Call, receiver: ast.expr, frame: Frame) -> Block | None:
        guess = self._roles.of(receiver, frame)
        path = self.namer.canonical(receiver, frame)
        if guess.role is Role.OPTIMIZER and path is not None:
            return (self._event(EventKind.ZERO_GRAD, node, frame, proven=guess.proven, optimizers=(path,)),)
        return (self._event(EventKind.ZERO_GRAD, node, frame, proven=guess.proven, subject=path or ""),)

    def _learn_owners(self, node: ast.expr, optimizer: str, frame: Frame) -> None:
        binding = self._roles.instance(node, frame, Role.OPTIMIZER)
        if binding is None or not isinstance(binding.node, ast.Call):
            return
        parameters = argument(binding.node, "params", 0)
        if parameters is not None:
            owner = owner_of(parameters, Frame(binding.scope), self.namer)
            names = {owner, *self.namer.fields.kept_as(owner, binding.scope)}
            self.owners[optimizer] = self.owners.get(optimizer, frozenset()) | names

    # construction and unknown code

    def built(self, value: ast.expr, names: tuple[str, ...], frame: Frame) -> Block:
        """Optimizers and scalers that an assignment builds on the spot, and objects that keep optimizers."""
        if not isinstance(value, ast.Call) or len(names) != 1:
            return ()
        role = self._roles.of(value, frame).role
        is_new = role in (Role.SCALER, Role.OPTIMIZER) or self._makes_a_keeper(value, frame)
        return (Fresh(names[0], role),) if is_new else ()

    def _makes_a_keeper(self, value: ast.Call, frame: Frame) -> bool:
        """Whether a call makes an object of a class that sets optimizers on it."""
        made = self._resolver.resolve(value, frame.scope)
        owners = (self._resolver.scope_of(one.node) for one in made if one.form is Form.OBJECT)
        return any(names_optimizers(name) for owner in owners for name in owner.attributes)

    def opaque(self, node: ast.Call, frame: Frame) -> Block:
        """A call that cannot be followed: what it was handed may have been used in any way."""
        bindings = self._resolver.resolve(node.func, frame.scope)
        if any(binding.form in (Form.FUNCTION, Form.CLASS) for binding in bindings):
            return ()
        if isinstance(node.func, ast.Name) and node.func.id in _LOOKING and not frame.scope.lookup(node.func.id):
            return ()
        if any(self._resolver.role(binding) is not Role.OTHER for binding in self._resolver.resolve(node, frame.scope)):
            return ()
        optimizers: list[str] = []
        for argument_node in (*node.args, *(keyword.value for keyword in node.keywords)):
            role = self._roles.of(argument_node, frame).role if dotted(argument_node) else Role.OTHER
            if role is Role.SCALER:
                return (Opaque(),)
            path = self.namer.canonical(argument_node, frame) if role is Role.OPTIMIZER else None
            if path is not None:
                optimizers.append(path)
        if optimizers:
            return (Opaque(tuple(optimizers)),)
        return (Opaque((), certain=False),) if self._is_inherited(node, frame) else ()

    def _is_inherited(self, node: ast.Call, frame: Frame) -> bool:
        function = node.func
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
            return False
        owner = frame.scope.owner_class()
        if owner is None or function.value.id != frame.scope.self_name() or is_harmless(function.attr):
            return False
        if function.attr in owner.attributes or not isinstance(owner.node, ast.ClassDef):
            return False
        bases = self._resolver.external_bases(owner.node)
        return any(not base.startswith(("torch.nn.", "abc.", "typing.", "builtins.")) for base in bases)


def _under(switch: Condition, on: Block, off: Block) -> Block:
    if isinstance(switch, Always):
        return on if switch.value else off
    return (Branch(switch, on, off),)


def _is_own_self(node: ast.expr, frame: Frame) -> bool:
    """Whether the scaler is the object whose method this is: a class that is a scaler keeps a protocol of its own."""
    return isinstance(node, ast.Name) and node.id == frame.scope.self_name()
