"""Which backward passes a framework runs: accelerate, Lightning Fabric, Lightning's manual optimization."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Binding, Form, Framework, ManagedBackward, Source

_FRAMEWORKS = {
    "accelerate.Accelerator": Framework.ACCELERATE,
    "accelerate.accelerator.Accelerator": Framework.ACCELERATE,
    "lightning.Fabric": Framework.FABRIC,
    "lightning.fabric.Fabric": Framework.FABRIC,
    "lightning.fabric.fabric.Fabric": Framework.FABRIC,
    "lightning_fabric.Fabric": Framework.FABRIC,
}
_PRECISION = {Framework.ACCELERATE: "mixed_precision", Framework.FABRIC: "precision"}
_NAMED = {"accelerator": Framework.ACCELERATE, "fabric": Framework.FABRIC}
_LIGHTNING_MODULES = frozenset(
    f"{package}.LightningModule"
    for package in (
        "pytorch_lightning",
        "pytorch_lightning.core",
        "pytorch_lightning.core.module",
        "lightning",
        "lightning.pytorch",
        "lightning.pytorch.core",
        "lightning.pytorch.core.module",
    )
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)
_MAX_DEPTH = 8  # longest chain of base classes followed


def managed_backwards(source: Source) -> Iterator[ManagedBackward]:
    """Every backward pass of a file that a framework runs."""
    for node in source.nodes((ast.Call,)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        if node.func.attr == "backward":
            yield from _of_an_object(node, node.func.value, source)
        elif node.func.attr == "manual_backward" and isinstance(node.func.value, ast.Name):
            owner = next((a for a in source.ancestors(node) if isinstance(a, ast.ClassDef)), None)
            proven = owner is not None and is_lightning_module(owner, source)
            yield ManagedBackward(Framework.LIGHTNING, node.func.value.id, node, _function(node, source), "", proven)


def is_lightning_module(node: ast.ClassDef, source: Source, depth: int = 0) -> bool:
    """Whether a class derives from LightningModule, as far as the bases can be followed."""
    return any(
        (binding.form is Form.SYMBOL and binding.symbol in _LIGHTNING_MODULES)
        or (binding.form is Form.CLASS and depth < _MAX_DEPTH and is_lightning_module(binding.node, source, depth + 1))
        for base in node.bases
        for binding in source.resolve(base)
    )


def _of_an_object(node: ast.Call, holder: ast.expr, source: Source) -> Iterator[ManagedBackward]:
    bindings = source.resolve(holder)
    built = [b for b in bindings if b.form is Form.INSTANCE and b.symbol in _FRAMEWORKS]
    framework = _FRAMEWORKS[built[0].symbol] if built else _annotated(bindings, source)
    proven = framework is not None
    if framework is None and all(b.form in (Form.PARAMETER, Form.UNKNOWN, Form.NONE) for b in bindings):
        last = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
        framework = _NAMED.get(last)
    if framework is not None:
        precision = _precision(built, framework)
        yield ManagedBackward(framework, source.segment(holder), node, _function(node, source), precision, proven)


def _annotated(bindings: tuple[Binding, ...], source: Source) -> Framework | None:
    for binding in bindings:
        annotation = getattr(binding.node, "annotation", None) if binding.form is Form.PARAMETER else None
        if annotation is not None:
            for named in source.resolve(annotation):
                if named.symbol in _FRAMEWORKS:
                    return _FRAMEWORKS[named.symbol]
    return None


def _precision(built: list[Binding], framework: Framework) -> str:
    """The precision that every construction of the holder names, if they agree."""
    found = set()
    for binding in built:
        call = binding.node if isinstance(binding.node, ast.Call) else None
        value = next((k.value for k in call.keywords if k.arg == _PRECISION.get(framework)), None) if call else None
        found.add(str(value.value) if isinstance(value, ast.Constant) and value.value is not None else "")
    return found.pop() if len(found) == 1 else ""


def _function(node: ast.AST, source: Source) -> ast.AST:
    return next(around for around in source.ancestors(node) if isinstance(around, _FUNCTIONS))
