"""AMP118."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Held, Role, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, NodeRule

_INVERSE = pattern(r"get_scale|inv\w*_scale|\._scale\b")


class GradPenaltyScaled(NodeRule):
    """Gradients of a scaled output enter a penalty with the loss scale still in them.

    ## What it does
    Finds `torch.autograd.grad(..., create_graph=True)` of something a scaler scaled, in a function that never divides
    by the scale. Penalties computed from unscaled outputs, and those that multiply by the inverse, are left alone.

    ## Why is this bad
    A scaler's `unscale_` and `step` see the gradients in `.grad` alone. What `autograd.grad` returns stays larger by
    the scale, so the penalty, often a square, outweighs the loss by the scale's square and jumps when the scale moves.

    ## Example
    ```python
    grads = torch.autograd.grad(scaler.scale(score.sum()), x, create_graph=True)
    penalty = sum(grad.pow(2).sum() for grad in grads)
    ```

    ## Use instead
    ```python
    grads = torch.autograd.grad(scaler.scale(score.sum()), x, create_graph=True)
    inv_scale = 1.0 / scaler.get_scale()
    grads = [grad * inv_scale for grad in grads]
    penalty = sum(grad.pow(2).sum() for grad in grads)
    ```

    ## Fix safety
    Unsafe: the penalty shrinks by the scale or its square, and its weight may have been tuned against that.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#gradient-penalty
    """

    code, name, severity = "AMP118", "grad-penalty-scaled", Severity.ERROR
    fix = Applicability.UNSAFE
    scenarios = ("penalty-on-scaled-gradients",)
    mentions = ((".scale(", "create_graph"),)
    nodes = (ast.Call,)

    VALID = (
        """\
import torch

def penalty(critic, x, scaler):
    grads = torch.autograd.grad(scaler.scale(critic(x).sum()), x, create_graph=True)
    inv_scale = 1.0 / scaler.get_scale()
    return sum((grad * inv_scale).pow(2).sum() for grad in grads)

def step(critic, x, optimizer, scaler):
    scaler.scale(critic(x).mean() + penalty(critic, x, scaler)).backward()
    scaler.step(optimizer)
    scaler.update()
""",
        """\
import torch

def step(critic, x, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    score = critic(x)
    (grad,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    scaler.scale(score.mean() + grad.pow(2).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def step(critic, x, optimizer, scaler):
    score = critic(x)
    grads = torch.autograd.grad(scaler.scale(score.sum()), x, create_graph=True)
    scaler.scale(score.mean() + sum(grad.pow(2).sum() for grad in grads)).backward()
    scaler.step(optimizer)
    scaler.update()
""",
            """\
import torch

def step(critic, x, optimizer, scaler):
    score = critic(x)
    grads = torch.autograd.grad(scaler.scale(score.sum()), x, create_graph=True)
    inv_scale = 1.0 / scaler.get_scale()
    grads = [grad * inv_scale for grad in grads]
    scaler.scale(score.mean() + sum(grad.pow(2).sum() for grad in grads)).backward()
    scaler.step(optimizer)
    scaler.update()
""",
            (5,),
        ),
        Invalid(
            """\
import torch

def step(critic, x, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    score = critic(x)
    scaled = scaler.scale(score.sum())
    grad = torch.autograd.grad(outputs=scaled, inputs=x, create_graph=True)[0]
    scaler.scale(score.mean() + grad.pow(2).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
""",
            """\
import torch

def step(critic, x, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    score = critic(x)
    scaled = scaler.scale(score.sum())
    grad = torch.autograd.grad(outputs=scaled, inputs=x, create_graph=True)[0]
    inv_scale = 1.0 / scaler.get_scale()
    grad = grad * inv_scale
    scaler.scale(score.mean() + grad.pow(2).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
""",
            (7,),
        ),
    )

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        assert isinstance(node, ast.Call)
        if not _makes_graph(node) or not any(b.symbol == "torch.autograd.grad" for b in source.resolve(node.func)):
            return
        outputs = next((k.value for k in node.keywords if k.arg == "outputs"), node.args[0] if node.args else None)
        function = places.function_of(node, source) or source.tree
        scaled = _scaler_of(outputs, function, source) if outputs is not None else None
        if scaled is None or _INVERSE.search(_text(function, source)):
            return
        scaler, held = scaled
        yield self.finding(
            source,
            source.span(node),
            f"gradients of an output that {scaler} scaled are used as they are: the penalty carries the loss scale",
            proven=held.proven,
            symbol=getattr(function, "name", ""),
            repair=Repair(
                "unscale_penalty",
                Applicability.UNSAFE,
                "Divide the gradients by the scale",
                source.span(node),
                {"scaler": scaler},
            ),
        )


def _text(function: ast.AST, source: Source) -> str:
    return source.text if function is source.tree else source.segment(function)


def _makes_graph(call: ast.Call) -> bool:
    return any(keyword.arg == "create_graph" and places.is_constant(keyword.value, True) for keyword in call.keywords)


def _scaler_of(outputs: ast.expr, function: ast.AST, source: Source) -> tuple[str, Held] | None:
    """The scaler in the outputs, in place or where their name is set."""
    values = [outputs]
    if isinstance(outputs, ast.Name):
        assigns = (node for node in walk(function) if isinstance(node, ast.Assign))
        values += [node.value for node in assigns if outputs.id in map(places.spelled, node.targets)]
    for value in values:
        for call in places.methods_called(value, "scale"):
            assert isinstance(call.func, ast.Attribute)
            held = source.held(call.func.value)
            if held.role is not Role.SCALER:
                held = _handed(places.receiver(call), function, source)
            if held.role is Role.SCALER:
                return places.receiver(call), held
    return None


def _handed(name: str, function: ast.AST, source: Source) -> Held:
    """What the callers in this file pass for a parameter."""
    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        names = [parameter.arg for parameter in function.args.args]
        for call in places.calls_of(function, source):
            place = names.index(name) if name in names else len(call.args)
            given = next((k.value for k in call.keywords if k.arg == name), None)
            value = call.args[place] if given is None and place < len(call.args) else given
            if value is not None and source.held(value).role is Role.SCALER:
                return source.held(value)
    return Held(Role.OTHER, False)
