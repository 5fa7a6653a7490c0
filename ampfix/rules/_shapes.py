"""Shapes of source that several rules look for: what stands around a node, and who is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Form, Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import TreeIndex, unparsed, walk

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
_NO_GRAD = ("torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.inference_mode")
_RECORDS_NONE = pattern(r"no_grad|inference_mode|set_grad_enabled\(False\)")
_QUIET = pattern(r"eval|grad|infer|mode|scope|quiet", re.IGNORECASE)
_BACKWARD = pattern(r"backward|backprop|scaler$|optimi[sz]e(_|$)", re.IGNORECASE)
_PLACING = frozenset(
    {"cuda", "cpu", "to", "train", "eval", "requires_grad_", "contiguous", "float", "half", "bfloat16"}
)


def path(node: ast.AST | None) -> str:
    """`a.b.c` for names and attributes; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = path(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def calls_of(function: ast.AST, source: Source) -> list[ast.Call]:
    """The calls in the file that run a function by its name, or a method of the same object by that of self."""
    name = getattr(function, "name", "")
    return [call for call in source.calls_to(name) if path(call.func) in (name, f"self.{name}")]


def own(root: ast.AST) -> Sequence[ast.AST]:
    """The nodes inside `root` that run with it, in source order: the bodies of functions and classes defined there are
    left out."""
    tree: TreeIndex | None = getattr(root, "ampfix_tree", None)
    if tree is None:  # a name, or a statement that holds nothing
        return ()
    if root in tree.owned:
        return tree.owned[root]
    owner = tree.owners[root]
    return [node for node in tree.inside(root)[1:] if tree.owners[node] is owner]


def method(node: ast.AST) -> tuple[ast.expr, str]:
    """Receiver and name of a method call; (the node, "") for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value, node.func.attr
    return node, ""  # type: ignore[return-value]


def calls(root: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Method calls of these names that run with `root`."""
    for node in own(root):
        if node.__class__ is ast.Call and method(node)[1] in names:
            yield node


def backwards(root: ast.AST) -> Sequence[ast.Call]:
    """The calls that run with `root` and run a backward: the method, and what is handed a loss for it. Found once."""
    known: list[ast.Call] | None = getattr(root, "ampfix_backwards", None)
    if known is None:
        calls = (node for node in own(root) if isinstance(node, ast.Call))
        known = [call for call in calls if method(call)[1] == "backward" or _runs_backward(call)]
        if hasattr(root, "ampfix_tree"):
            root.ampfix_backwards = known  # type: ignore[attr-defined]
    return known


def handed_in(call: ast.Call) -> list[ast.expr]:
    """What a call hands in, by place and by keyword."""
    return [*call.args, *(word.value for word in call.keywords)]


def _runs_backward(call: ast.Call) -> bool:
    """`loss_scaler(loss, optimizer)`, `partial(backward_step, loss)`, `take_step(loss, optimizer, scaler)`."""
    function, given = call.func, call.args
    if last_name(function) == "partial" and given:
        function, *given = given
    called = last_name(function)
    is_backward = _BACKWARD.search(called) is not None
    if not (is_backward or "step" in called) or not path(function):
        return False
    names = [path(one).rpartition(".")[2].lower() for one in (*given, *(word.value for word in call.keywords))]
    return any("loss" in name for name in names) and (is_backward or any("scaler" in name for name in names))


def placed(node: ast.expr) -> ast.expr:
    """The object behind calls that place, cast or switch it: `Net()` of `Net().cuda().train()`."""
    while method(node)[1] in _PLACING:
        node = method(node)[0]
    return node


def function_of(node: ast.AST, source: Source) -> ast.AST:
    """The innermost function around a node, or the module."""
    return next((around for around in source.ancestors(node) if isinstance(around, FUNCTIONS)), source.tree)


def opener_of(region: CoveredRegion, source: Source) -> ast.AST:
    """The function that a region decorates, or the one around it."""
    return region.node if isinstance(region.node, FUNCTIONS) else function_of(region.node, source)


def owner_of(node: ast.AST, name: str, source: Source) -> ast.AST:
    """Where a name written at `node` belongs: the class for attributes of self, else the function that binds it."""
    if name.startswith("self."):
        return next((around for around in source.ancestors(node) if isinstance(around, ast.ClassDef)), source.tree)
    root = name.partition(".")[0]
    for around in source.ancestors(node):
        if isinstance(around, FUNCTIONS) and root in bound(around):
            return around
    return source.tree


def bound(function: ast.AST) -> frozenset[str]:
    """The names that a function gives a value: parameters, assignments, loops, imports. Worked out once."""
    known: frozenset[str] | None = getattr(function, "ampfix_bound", None)
    if known is None:
        names = {node.arg for node in walk(function.args) if isinstance(node, ast.arg)}  # type: ignore[attr-defined]
        for node in own(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.add((node.asname or node.name).partition(".")[0])
        known = function.ampfix_bound = frozenset(names)  # type: ignore[attr-defined]
    return known


def inside(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """The nodes around a node up to its function, innermost first, the function included."""
    for around in source.ancestors(node):
        yield around
        if isinstance(around, FUNCTIONS):
            return


def loops(node: ast.AST, source: Source) -> list[ast.AST]:
    """The loops around a node in its function, innermost first."""
    return [around for around in inside(node, source) if isinstance(around, LOOPS)]


def statement_of(node: ast.AST, source: Source) -> ast.stmt:
    """The statement that a node is or belongs to."""
    return node if isinstance(node, ast.stmt) else next(a for a in source.ancestors(node) if isinstance(a, ast.stmt))


def regions_around(node: ast.AST, source: Source) -> list[CoveredRegion]:
    """The autocast regions that cover a node inside its function, innermost first; decorators of it last."""
    if not source.regions:
        return []
    by_node = _by_node(source.regions)
    return [region for holder in inside(node, source) for region in reversed(by_node.get(holder, []))]


@lru_cache(maxsize=1)
def _by_node(regions: tuple[CoveredRegion, ...]) -> dict[ast.AST, list[CoveredRegion]]:
    found: dict[ast.AST, list[CoveredRegion]] = {}
    for region in regions:
        found.setdefault(region.node, []).append(region)
    return found


def is_without_grad(node: ast.AST, source: Source) -> bool:
    """Whether no gradients are recorded here: under no_grad or inference_mode, by `with` or by decorator."""
    for around in inside(node, source):
        openers = [item.context_expr for item in getattr(around, "items", ())] + getattr(around, "decorator_list", [])
        if any(_is_no_grad(opener, source) for opener in openers):
            return True
    return False


def _is_no_grad(opener: ast.expr, source: Source) -> bool:
    expression = opener.func if isinstance(opener, ast.Call) else opener
    given = opener.args[0] if isinstance(opener, ast.Call) and opener.args else None
    is_false = isinstance(given, ast.Constant) and given.value is False
    names = (*_NO_GRAD, "torch.set_grad_enabled") if is_false else _NO_GRAD
    bindings = source.resolve(expression)
    if any(b.form is Form.SYMBOL and b.symbol in names for b in bindings):
        return True
    managers = [b.node for b in bindings if b.form is Form.FUNCTION]
    if not managers and isinstance(opener, ast.Call) and _QUIET.search(path(expression)):
        managers = [one.definition for one in source.called_elsewhere(opener)]
    return any(map(_runs_without_grad, managers))


def _runs_without_grad(function: ast.AST) -> bool:
    """Whether a context manager, written as a generator, or a decorator records no gradients of what it runs."""
    given = {one.arg for one in getattr(getattr(function, "args", None), "args", ())}
    for node in walk(function):
        entered = [unparsed(item.context_expr) for item in getattr(node, "items", ())]
        for inner in walk(node) if any(map(_RECORDS_NONE.search, entered)) else ():
            if isinstance(inner, ast.Yield) or (isinstance(inner, ast.Call) and path(inner.func) in given):
                return True
    return False


def uses_amp(source: Source) -> bool:
    """Whether the file itself opens an autocast region or builds a scaler."""
    return bool(source.regions or source.autocasts or source.scalers)


def is_on_gpu(source: Source) -> bool:
    """Whether some region of the file may be for a GPU and on."""
    return any(region.device != "cpu" and region.enabled is not False for region in source.regions)


_MODEL_WORDS = ("model", "net", "network", "backbone", "encoder", "decoder", "classifier", "detector", "unet")

# First words of functions that make, move or measure a model and are none themselves.
_VERBS = pattern(
    r"(add|benchmark|build|clone|compile|convert|copy|create|eval|evaluate|export|fit|freeze|get|init|initialize|load|make|"
    r"measure|parse|prepare|profile|quantize|run|save|select|set|setup|test|train|try|unwrap|update|validate|warm|warmup|"
    r"wrap)_"
)


def looks_like_a_model(name: str) -> bool:
    """Whether a dotted name is one that models have: `net`, `student_model`, but not `compile_model`."""
    last = name.rpartition(".")[2].lower().lstrip("_")
    if _VERBS.match(last):
        return False
    return last in _MODEL_WORDS or last.endswith(("_model", "_net", "model"))
