"""AMP206."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Role, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, NodeRule

_GETTERS = {
    "_scale": "get_scale",
    "_enabled": "is_enabled",
    "_growth_factor": "get_growth_factor",
    "_backoff_factor": "get_backoff_factor",
    "_growth_interval": "get_growth_interval",
}
_SETTERS = {
    "_growth_factor": "set_growth_factor",
    "_backoff_factor": "set_backoff_factor",
    "_growth_interval": "set_growth_interval",
}
_SKIP_ADVICE = "whether a step was skipped shows in get_scale(), read before and after update()"
_ADVICE = {
    "_scale": "it is a tensor, and None until the first scale(); get_scale() gives the number",
    "_init_scale": "get_scale() gives it until the first update()",
    "_growth_tracker": 'state_dict()["_growth_tracker"] holds it',
    "_get_growth_tracker": 'state_dict()["_growth_tracker"] holds it',
    "_found_inf_per_device": f"it returns a dict, which is true after a clean step as well; {_SKIP_ADVICE}",
    "_check_inf_per_device": f"it marks the optimizer's gradients as checked; {_SKIP_ADVICE}",
    "_per_optimizer_states": _SKIP_ADVICE,
    "_maybe_opt_step": "step() calls it",
    "_unscale_grads_": "unscale_() calls it and remembers that it did",
    "_lazy_init_scale_growth_tracker": "scale() calls it",
    "_check_scale_growth_tracker": "step() and update() call it",
}


class PrivateApi(NodeRule):
    """Private attributes of GradScaler are used, which torch changes without notice.

    ## What it does
    Finds uses of `_scale`, `_found_inf_per_device`, `_per_optimizer_states`, `_growth_tracker` and the like on a
    GradScaler, except in classes derived from it.

    ## Why is this bad
    What they hold differs from what their names promise: `_scale` is None until the first `scale()`, and
    `_found_inf_per_device` returns a dict that is true after a clean step too, so that a test of it skips everything.

    ## Example
    ```python
    log(scaler._scale.item())
    ```

    ## Use instead
    ```python
    log(scaler.get_scale())
    ```

    ## Fix safety
    Safe, and made only where a public method gives the same value. Where the tensor itself is used, or there is no
    public way, the finding says what to do.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler
    """

    code, name, severity = "AMP206", "private-api", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("private-overflow-check",)
    mentions = tuple((".scale(", f".{attribute}") for attribute in _ADVICE) + tuple(
        ("GradScaler", f".{attribute}") for attribute in (_ADVICE | _GETTERS)
    )
    nodes = (ast.Attribute,)

    VALID = (
        """\
import torch

class PatientScaler(torch.amp.GradScaler):
    def update(self, new_scale=None):
        if self._scale is not None:
            super().update(new_scale)

class FeatureScaler:
    def __init__(self, scale):
        self._scale = scale
""",
        """\
import torch

scaler = torch.amp.GradScaler("cuda")
print(scaler.get_scale(), scaler.is_enabled())
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

scaler = torch.amp.GradScaler("cuda")
print(scaler._scale.item(), float(scaler._scale), scaler._enabled)
scaler._growth_interval = 500
""",
            """\
import torch

scaler = torch.amp.GradScaler("cuda")
print(scaler.get_scale(), scaler.get_scale(), scaler.is_enabled())
scaler.set_growth_interval(500)
""",
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        found_inf = scaler._found_inf_per_device(optimizer)
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (9,),
        ),
    )

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        assert isinstance(node, ast.Attribute)
        if node.attr not in _ADVICE and node.attr not in _GETTERS:
            return
        held = source.held(node.value)
        is_annotated = _is_annotated(node.value, source)
        if (held.role is not Role.SCALER and not is_annotated) or _is_self(node.value, source):
            return
        public = _GETTERS.get(node.attr)
        advice = _ADVICE.get(node.attr, f"{public}() gives it")
        yield self.finding(
            source,
            source.span(node),
            f"{source.segment(node)} is private to GradScaler: {advice}",
            proven=held.proven or is_annotated,
            repair=_repair(node, source) or advice,
        )


def _is_annotated(node: ast.expr, source: Source) -> bool:
    """Whether it is a parameter, or keeps one, that is annotated as torch's GradScaler."""
    held = (getattr(one.node, "annotation", None) for one in source.resolve(node) if one.form is Form.PARAMETER)
    named = (one for annotation in held if annotation is not None for one in walk(annotation))
    types = (one for one in named if isinstance(one, (ast.Name, ast.Attribute)))
    symbols = (binding.symbol for one in types for binding in source.resolve(one))
    return any(symbol.startswith("torch.") and symbol.endswith("GradScaler") for symbol in symbols)


def _is_self(node: ast.expr, source: Source) -> bool:
    """Whether it is the object whose class this is: a scaler of one's own, derived from torch's or a copy of it."""
    owner = places.class_of(node, source)
    return isinstance(node, ast.Name) and owner is not None and node.id in places.first_parameters(owner)


def _repair(node: ast.Attribute, source: Source) -> Repair | None:
    scaler = source.segment(node.value)
    around = source.ancestors(node)
    parent = next(around)
    if isinstance(parent, ast.Assign) and parent.targets == [node] and node.attr in _SETTERS:
        setter = _SETTERS[node.attr]
        return _replace(parent, f"{scaler}.{setter}({source.segment(parent.value)})", source)
    if node.attr not in _GETTERS or not isinstance(node.ctx, ast.Load):
        return None
    getter = f"{scaler}.{_GETTERS[node.attr]}()"
    if node.attr != "_scale":
        return _replace(node, getter, source)
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "float":
        return _replace(parent, getter, source)
    call = next(around, None)
    if isinstance(parent, ast.Attribute) and parent.attr == "item" and isinstance(call, ast.Call):
        return _replace(call, getter, source)
    return None


def _replace(node: ast.AST, text: str, source: Source) -> Repair:
    return Repair("public_way", Applicability.SAFE, f"Write {text}", source.span(node), {"text": text})
