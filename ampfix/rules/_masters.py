"""What keeps a float32 copy of the weights of a half model, or makes them float32 again."""

from __future__ import annotations

import ast
import re

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules._halfmodels import CastModel, assigned
from ampfix.rules._optimizers import Trained
from ampfix.rules._shapes import function_of, handed_in, method, owner_of, path, placed

MASTER = pattern(
    r"master_?(copy|param|weight|model|w\b|p\b)|fp32_(param|copy|model)|FP16_?Optimizer|"
    r"stochastic_?(round|accum)|kahan",  # updates that half weights do not lose
    re.IGNORECASE,
)


def keeps_float32(model: CastModel, optimizer: Trained, source: Source) -> bool:
    """Whether something here says that the trained weights are float32 after all, or are kept in float32 besides."""
    return MASTER.search(source.text) is not None or is_rewrapped(optimizer, source) or is_float32_again(model, source)


def is_float32_again(model: CastModel | Trained, source: Source) -> bool:
    """Whether a model is frozen, becomes float32, or is replaced by what other code makes of it."""
    return is_frozen_or_float(model, source) or any(
        is_foreign(value, model, source) for value in assigned(model.name, model.owner, source)
    )


def is_rewrapped(optimizer: Trained, source: Source) -> bool:
    """`optimizer = FP16Optimizer(optimizer)`, and `engine = initialize(model=model, optimizer=optimizer)`."""
    owner = function_of(optimizer.call, source)
    for node in source.nodes((ast.Call,)) if optimizer.target else ():
        assert isinstance(node, ast.Call)
        handed = [path(value) for value in handed_in(node)]
        if optimizer.target not in handed or function_of(node, source) is not owner:
            continue
        symbols = [b.symbol for b in source.resolve(node.func) if b.form is Form.SYMBOL]
        if method(node)[1] in ("step", "unscale_") or any("lr_scheduler" in symbol for symbol in symbols):
            continue
        parent = next(source.ancestors(node), None)
        targets = parent.targets if isinstance(parent, ast.Assign) else []
        named = {path(child) for target in targets for child in walk(target)}
        if optimizer.target in named or (targets and optimizer.name in handed):
            return True
    return False


_WRAPPERS = ("compile", "DataParallel", "DistributedDataParallel", "convert_sync_batchnorm")


def is_foreign(value: ast.expr, model: CastModel | Trained, source: Source) -> bool:
    """Whether the name is bound anew to what other code makes of the model (adapters, sharding, mixed precision)."""
    value = placed(value)
    if not isinstance(value, ast.Call):
        return False
    takes_it = any(path(a) == model.name for a in (*value.args, *(k.value for k in value.keywords)))
    symbols = [b.symbol.rpartition(".")[2] for b in source.resolve(value.func) if b.form is Form.SYMBOL]
    return takes_it and not (symbols and all(symbol in _WRAPPERS for symbol in symbols))


def is_frozen_or_float(model: CastModel | Trained, source: Source) -> bool:
    """Whether a model is frozen, or cast to float32 again, where its name belongs."""
    for node in source.nodes((ast.Call, ast.For)):
        if isinstance(node, ast.For):
            freezes = method(node.iter)[1] == "parameters" and path(method(node.iter)[0]) == model.name
            if freezes and "requires_grad" in ast.unparse(ast.Module(node.body, [])):
                return True
        receiver, name = method(node)
        if path(placed(receiver)) != model.name or owner_of(node, model.name, source) is not model.owner:
            continue
        if name in ("float", "double") or (name == "requires_grad_" and "False" in ast.unparse(node)):
            return True
        if name == "to" and "float32" in ast.unparse(node):
            return True
    return False
