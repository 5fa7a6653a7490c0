"""Optimizers that a function is handed beside the half model that it trains."""

from __future__ import annotations

import ast

from ampfix.program import Source
from ampfix.rules._halfmodels import CastModel
from ampfix.rules._optimizers import Trained
from ampfix.rules._places import parameters
from ampfix.rules._shapes import calls, function_of, method, path


def handed_optimizer(model: CastModel, source: Source) -> Trained | None:
    """What steps in the function that casts a model, sets that alone to training, and runs backward behind the cast."""
    function = function_of(model.place, source)
    given, cast_at = parameters(function), model.place.lineno
    in_training = {path(method(call)[0]) for call in calls(function, "train") if not call.args}
    losses = [method(call)[0] for call in calls(function, "backward") if call.lineno > cast_at]
    if model.name not in given or in_training != {model.name} or any(path(loss) in given for loss in losses):
        return None
    for step in calls(function, "step") if losses else ():
        target = path(method(step)[0])
        if target in given and "opt" in target.lower() and not step.args and isinstance(step, ast.Call):
            return Trained(step, model.name, model.owner, "", target)
    return None
