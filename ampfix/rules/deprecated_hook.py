"""AMP604."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules._base import Invalid, NodeRule

_FULL = {
    "register_backward_hook": "register_full_backward_hook",
    "register_module_backward_hook": "register_module_full_backward_hook",
}
_ITERATED = frozenset({"modules", "named_modules", "children", "named_children"})


class DeprecatedHook(NodeRule):
    """A module's backward hook of the old kind sees the wrong gradients.

    ## What it does
    Finds `Module.register_backward_hook` and `register_module_backward_hook`.

    ## Why is this bad
    The old hook hangs on the last autograd node of the module's forward. Its `grad_input` are that node's: for a Linear
    those of bias, input and transposed weight, for a module of several layers those of its last layer. Whoever looks
    for the first NaN or a vanishing gradient in them is misled. The hook warns and will go.

    ## Example
    ```python
    for name, module in model.named_modules():
        module.register_backward_hook(report_nan)
    ```

    ## Use instead
    ```python
    for name, module in model.named_modules():
        module.register_full_backward_hook(report_nan)
    ```

    ## Fix safety
    Unsafe: `grad_input` then holds the gradients of the module's inputs, so a hook that picks from it must be read
    again, and torch raises where a hooked module's output is changed in place (`nn.ReLU(inplace=True)` behind it). One
    module takes hooks of one kind only, so those set in other files have to follow.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_full_backward_hook
    """

    code, name, severity = "AMP604", "deprecated-hook", Severity.WARNING
    nodes = (ast.Attribute,)
    fix = Applicability.UNSAFE
    mentions = (("register_backward_hook",), ("register_module_backward_hook",))
    unproven = "The hook only observes; a test compares what both kinds see."

    VALID = (
        """\
import torch

layer = torch.nn.Linear(2, 2)
layer.register_full_backward_hook(print)
layer.weight.register_hook(print)
""",
        """\
class Parameters:
    def register_backward_hook(self, hook):
        self.hooks.append(hook)

    def watch(self, hook):
        self.register_backward_hook(hook)

Parameters().register_backward_hook(print)
""",
    )
    INVALID = (
        Invalid(
            """\
def watch(model, hook):
    for name, module in model.named_modules():
        handle = module.register_backward_hook(hook)  # keep it
""",
            """\
def watch(model, hook):
    for name, module in model.named_modules():
        handle = module.register_full_backward_hook(hook)  # keep it
""",
            (3,),
        ),
        Invalid(
            """\
from torch import nn
from torch.nn.modules import module

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_backward_hook(print)

module.register_module_backward_hook(print)
""",
            """\
from torch import nn
from torch.nn.modules import module

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_full_backward_hook(print)

module.register_module_full_backward_hook(print)
""",
            (7, 9),
        ),
    )

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        assert isinstance(node, ast.Attribute)
        new = _FULL.get(node.attr)
        if new is None or not isinstance(node.ctx, ast.Load) or _is_own(node, source):
            return
        yield self.finding(
            source,
            source.span(node),
            f"{node.attr} shows the gradients of the forward's last operation only; use {new}",
            proven=_is_torch_module(node, source),
            repair=Repair("rename_attribute", Applicability.UNSAFE, f"Use {new}", source.span(node), {"name": new}),
        )


def _is_own(node: ast.Attribute, source: Source) -> bool:
    """Whether the name is a method of this file, or of a class of another library."""
    if any(binding.form is Form.FUNCTION for binding in source.resolve(node)):
        return True
    symbols = [b.symbol for b in source.resolve(node.value) if b.form in (Form.SYMBOL, Form.INSTANCE)]
    return bool(symbols) and not any(symbol.startswith("torch.") for symbol in symbols)


def _is_torch_module(node: ast.Attribute, source: Source) -> bool:
    holder = node.value
    if isinstance(holder, ast.Name) and any(_iterates_modules(a, holder.id) for a in source.ancestors(node)):
        return True
    own = next((a for a in source.ancestors(node) if isinstance(a, ast.ClassDef)), None)
    if isinstance(holder, ast.Name) and holder.id == "self" and own is not None:
        return _derives(own, source)
    bindings = source.resolve(holder)
    return any(
        (b.form in (Form.SYMBOL, Form.INSTANCE) and b.symbol.startswith("torch."))
        or (b.form is Form.OBJECT and _derives(b.node, source))
        for b in bindings
    )


def _iterates_modules(node: ast.AST, name: str) -> bool:
    """Whether `node` is a loop or comprehension that binds `name` to the modules of a model."""
    loops = [node] if isinstance(node, ast.For) else getattr(node, "generators", [])
    return any(
        isinstance(loop.iter, ast.Call)
        and isinstance(loop.iter.func, ast.Attribute)
        and loop.iter.func.attr in _ITERATED
        and any(isinstance(target, ast.Name) and target.id == name for target in walk(loop.target))
        for loop in loops
    )


def _derives(node: ast.ClassDef, source: Source) -> bool:
    """Whether a class of this file is a torch module, through other classes of this file too."""
    return any(
        (b.form is Form.SYMBOL and b.symbol.startswith("torch.nn."))
        or (b.form is Form.CLASS and b.node is not node and _derives(b.node, source))
        for base in node.bases
        for b in source.resolve(base)
    )
