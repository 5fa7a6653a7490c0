"""AMP408."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Source, Value
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halves import IN_REGION, in_region
from ampfix.rules._shapes import path

_PRODUCTS = frozenset({"matmul", "mm", "bmm", "mv", "addmm", "addbmm", "baddbmm", "addmv"}) | frozenset(
    {"linear", "einsum", "conv1d", "conv2d", "conv3d"}
)
_CASTS = frozenset({"to", "type", "type_as", "float", "half", "bfloat16", "double", "autocast"})
_DECORATORS = ("custom_fwd", "custom_bwd")
_WORK = {
    True: "multiplies matrices in backward, which runs without autocast on half gradients and whatever was saved",
    False: "runs its forward again in backward, which has left the autocast region",
}


class CustomFunction(Rule):
    """A torch.autograd.Function with matrix products runs under autocast without custom_fwd and custom_bwd.

    ## What it does
    Finds autograd Functions that a region applies, whose backward multiplies matrices or runs its forward again, as a
    gradient checkpoint does, and casts nothing itself, and whose `forward` or `backward` lacks autocast's decorator.

    ## Why is this bad
    Autocast casts inside `forward`, so that its output, and the gradient that comes back, are half; the tensors it
    saved keep the dtype they came in, and backward runs without autocast. The first product of the two raises
    "expected m1 and m2 to have the same dtype", far from the cause. `custom_bwd` runs backward under the autocast
    state that `custom_fwd` noted. Functions that work element by element need neither: autograd casts their gradients.
    A forward that backward runs again is outside the region, too: it refuses half inputs, or does all its work and that
    of its backward in float32.

    ## Example
    ```python
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x @ w.t()

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            return g @ w, g.t() @ x
    ```

    ## Use instead
    ```python
    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cuda")
        def forward(ctx, x, w): ...

        @staticmethod
        @torch.amp.custom_bwd(device_type="cuda")
        def backward(ctx, g): ...
    ```

    ## Fix safety
    Safe: outside autocast the decorators do nothing.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#autocast-and-custom-autograd-functions
    """

    code, name, severity = "AMP408", "custom-function", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("function-without-custom-fwd", "recompute-without-autocast")
    mentions = (("autograd.Function", ".apply"), ("torch.autograd", "Function", ".apply"))
    needs = (IN_REGION,)

    VALID = (
        """\
import torch

class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return -g * 0.5

class Product(torch.autograd.Function):
    @staticmethod
    @torch.cuda.amp.custom_fwd
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.t()

    @staticmethod
    @torch.cuda.amp.custom_bwd
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w, g.t() @ x

class Careful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.t()

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w.to(g.dtype), g.t() @ x.to(g.dtype)

class Unused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        return x @ w

    @staticmethod
    def backward(ctx, g):
        return g @ g, g

def train(x, w):
    y = Unused.apply(x, w)
    with torch.autocast("cuda"):
        return Round.apply(Product.apply(x, w)) + Careful.apply(x, w)
""",
        """\
import torch
from torch.cuda.amp import autocast

class Recompute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, block, x):
        ctx.block, ctx.region = block, torch.is_autocast_enabled()
        ctx.save_for_backward(x)
        with torch.no_grad():
            return block(x)

    @staticmethod
    def backward(ctx, g):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad(), autocast(enabled=ctx.region):
            y = ctx.block(x)
        torch.autograd.backward(y, g)
        return None, x.grad

class Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        with torch.enable_grad():
            return g * 2

def train(block, x):
    with torch.autocast("cuda"):
        return Slope.apply(Recompute.apply(block, x))
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch.autograd import Function

class Product(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x.mm(w.t())

    @staticmethod
    def backward(ctx, g):
        # both gradients
        x, w = ctx.saved_tensors
        return g.mm(w), g.t().mm(x)

product = Product.apply

class Net(torch.nn.Module):
    def forward(self, x, w):
        return product(x, w)

def train(loader, w):
    net = Net()
    for x in loader:
        with torch.autocast("cuda"):
            loss = net(x, w).sum()
""",
            """\
import torch
from torch.autograd import Function

class Product(Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda")
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x.mm(w.t())

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx, g):
        # both gradients
        x, w = ctx.saved_tensors
        return g.mm(w), g.t().mm(x)

product = Product.apply

class Net(torch.nn.Module):
    def forward(self, x, w):
        return product(x, w)

def train(loader, w):
    net = Net()
    for x in loader:
        with torch.autocast("cuda"):
            loss = net(x, w).sum()
""",
            (20,),
        ),
        Invalid(
            """\
import torch

class Recompute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, block, x):
        ctx.block = block
        ctx.save_for_backward(x)
        with torch.no_grad():
            return block(x)

    @staticmethod
    def backward(ctx, g):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            y = ctx.block(x)
        torch.autograd.backward(y, g)
        return None, x.grad

def train(block, loader):
    for x in loader:
        with torch.autocast("cuda"):
            loss = Recompute.apply(block, x).sum()
""",
            """\
import torch

class Recompute(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda")
    def forward(ctx, block, x):
        ctx.block = block
        ctx.save_for_backward(x)
        with torch.no_grad():
            return block(x)

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx, g):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            y = ctx.block(x)
        torch.autograd.backward(y, g)
        return None, x.grad

def train(block, loader):
    for x in loader:
        with torch.autocast("cuda"):
            loss = Recompute.apply(block, x).sum()
""",
            (22,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        reported: set[ast.ClassDef] = set()
        for value in source.tensor_operations:
            if value.op != "custom_function" or not in_region(value) or value.site is not None:
                continue
            for binding in source.resolve(value.parts[0]):
                definition = binding.node
                if binding.form is not Form.CLASS or definition in reported or not _breaks(definition):
                    continue
                reported.add(definition)
                yield self.finding(
                    source,
                    source.span(value.node),
                    f"{definition.name} {_WORK[_multiplies(_method(definition, 'backward'))]}: decorate forward with "
                    "custom_fwd and backward with custom_bwd",
                    proven=value.context.device != "" and not value.context.optional,
                    symbol=definition.name,
                    repair=_repair(definition, value, source),
                )


def _method(definition: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((item for item in definition.body if isinstance(item, ast.FunctionDef) and item.name == name), None)


def _breaks(definition: ast.ClassDef) -> bool:
    forward, backward = _method(definition, "forward"), _method(definition, "backward")
    if forward is None or backward is None or _method(definition, "setup_context") is not None:
        return False
    if all(_is_decorated(method) for method in (forward, backward)):
        return False
    names = {
        node.attr for method in (forward, backward) for node in ast.walk(method) if isinstance(node, ast.Attribute)
    }
    names |= {node.id for node in ast.walk(backward) if isinstance(node, ast.Name)}
    return (_multiplies(backward) or _runs_forward_again(backward)) and not names & _CASTS


def _is_decorated(method: ast.FunctionDef) -> bool:
    spelled = (ast.unparse(decorator) for decorator in method.decorator_list)
    return any(name in text for text in spelled for name in _DECORATORS)


def _multiplies(function: ast.FunctionDef | None) -> bool:
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PRODUCTS:
            return True
    return False


def _runs_forward_again(backward: ast.FunctionDef) -> bool:
    """Whether it records a graph of its own and differentiates that."""
    called = {path(node.func) for node in ast.walk(backward) if isinstance(node, ast.Call)}
    records = any(name.endswith(("enable_grad", "set_grad_enabled")) for name in called)
    return records and any(name.endswith(("autograd.backward", "autograd.grad")) for name in called)


def _repair(definition: ast.ClassDef, value: Value, source: Source) -> Repair | str:
    if definition not in set(source.nodes((ast.ClassDef,))):
        return f"{definition.name} is defined in another file; decorate it there"
    return Repair(
        "decorate_function",
        Applicability.SAFE,
        "Decorate forward with custom_fwd and backward with custom_bwd",
        source.span(definition),
        {"device": value.context.device or "cuda"},
    )
