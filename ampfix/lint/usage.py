"""Roles by behaviour: a parameter nothing is known about is a scaler if it is used like one.

Keys are (owner, dotted path): attributes of self belong to the class, other names to the function that uses them.
"""

from __future__ import annotations

import ast
import re

from ampfix.lint.scopes import Scope, ScopeBuilder
from ampfix.patterns import pattern
from ampfix.program import Role
from ampfix.program.tree import TreeIndex
from ampfix.records import dataclass, field

_SCALER_WORD = pattern(r"scaler", re.IGNORECASE)
_OPTIMIZER_WORD = pattern(r"(^|_)((?i:optim\w*|opt|opts)(_|\d|$)|opt[A-Z])|(?i:optimizer)")
_ENGINE_WORD = pattern(r"engine|model|net|accelerator|fabric|trainer|strategy|^self$", re.IGNORECASE)
# optim_idx, optimizer_state and the like say something about an optimizer.
_NOT_THE_THING = pattern(
    r"_(idx|index|steps?|level|states?|config|cfg|name|type|cls|class|fn|k?w?args|params|groups?)$"
)
_SCHEDULER_WORD = pattern(r"sche?d|lr_(decay|policy|updater)|(^|_)(warmup|lrs)$", re.IGNORECASE)
_OTHER_SCHEDULE = pattern(
    r"(loss|noise|kl|beta|temp\w*|mask|ratio|sampl\w*|curriculum|ema|dropout|task|data|batch\w*)_?sched", re.IGNORECASE
)  # of something else than a learning rate

# Methods of torch.nn.Module and friends that leave gradients alone, so that calling an inherited one hides nothing.
_HARMLESS = pattern(
    r"^(train|eval|log\w*|print\w*|to|parameters|named_\w+|modules|state_dict|load_state_dict|size|get_\w+|_?check_\w+|"
    r"info|save\w*|forward|compute_loss|criterion|loss\w*|model\w*|net\w*)$"
)


def is_harmless(method: str) -> bool:
    """Whether a method of this name leaves gradients alone, as a rule."""
    return _HARMLESS.match(method) is not None


def names_schedulers(path: str) -> bool:
    """Whether an element taken out of a collection is a scheduler, by the collection's name: `schedulers[*]`."""
    last = path.rpartition("[")[0].rpartition(".")[2]
    return bool(_SCHEDULER_WORD.search(last)) and not _OTHER_SCHEDULE.search(last)


def names_optimizers(name: str) -> bool:
    """Whether a name says that it holds optimizers."""
    return _OPTIMIZER_WORD.search(name) is not None and not _NOT_THE_THING.search(name)


def dotted(node: ast.expr) -> str | None:
    """The source path of a name, an attribute of it, or an element with a constant index; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, (ast.Constant, ast.Name)):
        base = dotted(node.value)
        return None if base is None else f"{base}[{ast.unparse(node.slice)}]"
    return None


@dataclass
class _Uses:
    methods: set[str] = field(default_factory=set)
    scale_then_backward: bool = False
    steps_something: bool = False  # .step(x)
    stepped_by: bool = False  # it is the x of scaler.step(x) or scaler.unscale_(x)


@dataclass(frozen=True)
class Guess:
    """A role and whether the use alone proves it (only a scaler unscales and scales a loss that then runs backward)."""

    role: Role
    proven: bool


class Usage:
    """Collects how every dotted path of a module is used."""

    def __init__(self, scopes: ScopeBuilder, index: TreeIndex) -> None:
        self._uses: dict[tuple[int, str], _Uses] = {}
        for owner, scope in scopes.scope_of.items():
            for node in index.owned[owner]:
                if node.__class__ is ast.Call and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    self._note(node, node.func, scope)

    def guess(self, path: str, scope: Scope) -> Guess:
        """What the path looks like where it is used."""
        # A method of a base class says what the attributes of its subclass are.
        uses = self._uses.get(_key(path, scope)) or self._uses.get(_key_of_class(path, scope, scope.static_class()))
        last = path.rpartition(".")[2].partition("[")[0]
        if uses is not None:
            if _is_a_scaler(uses, last):
                return Guess(Role.SCALER, True)
            if uses.stepped_by:
                return Guess(Role.OPTIMIZER, True)
            if {"step", "zero_grad"} <= uses.methods and not _ENGINE_WORD.search(last):
                return Guess(Role.OPTIMIZER, True)
            if _SCALER_WORD.search(last) and uses.methods & {"scale", "update"} and uses.steps_something:
                return Guess(Role.SCALER, True)
            if _SCALER_WORD.search(last) and "scale" in uses.methods:
                return Guess(Role.SCALER, False)
        if _NOT_THE_THING.search(last):
            return Guess(Role.OTHER, False)
        if _SCHEDULER_WORD.search(last) and not _OTHER_SCHEDULE.search(last):
            return Guess(Role.SCHEDULER, False)
        if _OPTIMIZER_WORD.search(last):
            return Guess(Role.OPTIMIZER, False)
        return Guess(Role.OTHER, False)

    def _note(self, call: ast.Call, function: ast.Attribute, scope: Scope) -> None:
        receiver = function.value
        path = dotted(receiver)
        if path is not None:
            uses = self._uses.setdefault(_key(path, scope), _Uses())
            uses.methods.add(function.attr)
            if function.attr == "step" and call.args:
                uses.steps_something = True
            takes_optimizer = function.attr == "unscale_" or (function.attr == "step" and _SCALER_WORD.search(path))
            if takes_optimizer and call.args and (target := dotted(call.args[0])):
                self._uses.setdefault(_key(target, scope), _Uses()).stepped_by = True
        elif function.attr == "backward" and isinstance(receiver, ast.Call):
            inner = receiver.func
            if isinstance(inner, ast.Attribute) and inner.attr == "scale" and (path := dotted(inner.value)):
                self._uses.setdefault(_key(path, scope), _Uses()).scale_then_backward = True


def _is_a_scaler(uses: _Uses, name: str) -> bool:
    """Whether the use alone shows a scaler. What steps and never updates, under another name, may be an object that
    holds one and does both at once."""
    if not (_SCALER_WORD.search(name) or "update" in uses.methods or not uses.steps_something):
        return False
    return "unscale_" in uses.methods or (uses.scale_then_backward and bool({"step", "update"} & uses.methods))


def _key_of_class(path: str, scope: Scope, owner: Scope | None) -> tuple[int, str]:
    root, _, rest = path.partition(".")
    return (id(owner), f"self.{rest}") if rest and owner is not None and root == scope.self_name() else (0, path)


def _key(path: str, scope: Scope) -> tuple[int, str]:
    owner, _ = known = _key_of_class(path, scope, scope.owner_class())
    if owner:
        return known
    root = path.partition(".")[0]
    for candidate in scope.chain():
        if root in candidate.names and not (candidate.is_class and candidate is not scope):
            return id(candidate), path
    return 0, path
