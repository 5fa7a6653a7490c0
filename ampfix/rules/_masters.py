"""What keeps a float32 copy of the weights of a half model, or makes them float32 again."""

from __future__ import annotations

import ast
import re

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules._halfmodels import CastModel, Trained, assigned, is_foreign, is_frozen_or_float
from ampfix.rules._shapes import function_of, handed_in, method, path

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
