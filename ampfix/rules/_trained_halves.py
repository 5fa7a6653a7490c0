"""The optimizer that updates the half weights of a model, where both meet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.records import replace
from ampfix.rules._halfmodels import CastModel
from ampfix.rules._handed_optimizers import handed_optimizer
from ampfix.rules._lifted import aliases, lifted_casts, lifted_optimizers
from ampfix.rules._masters import keeps_float32
from ampfix.rules._optimizers import Trained
from ampfix.rules._places import are_alternatives, never_meet
from ampfix.rules._received import received
from ampfix.rules._shapes import function_of, loops
from ampfix.rules._training import training_calls

Met = tuple[CastModel, Trained]
_ADDS = pattern(r"requires_grad\s*=\s*False|requires_grad_\(False|peft|lora|adapter|freez", re.IGNORECASE)


def trained_as_half(model: CastModel, optimizers: list[Trained], source: Source) -> Met | None:
    """A model with the optimizer that updates it; None where none does, or the weights are float32 by then."""
    optimizer = _trained_here(model, optimizers, source)
    met = (model, optimizer) if optimizer is not None else next(_through_calls(model, optimizers, source), None)
    if met is None or not _may_be_added(*met):
        return met
    return replace(met[0], certain=False), met[1]


def _trained_here(model: CastModel, optimizers: list[Trained], source: Source) -> Trained | None:
    """The optimizer of a model where that is cast, or in what is handed it behind the cast."""
    if not model.name:
        return None
    optimizer = next((o for o in optimizers if (o.name, o.owner) == (model.name, model.owner)), None)
    if optimizer is None:
        optimizer = _trained_elsewhere(model, optimizers, source)
    elif not _is_trained_as_half(model, optimizer, source):
        optimizer = None
    return optimizer if optimizer is not None else _handed_in(model, source)


def _through_calls(model: CastModel, optimizers: list[Trained], source: Source) -> Iterator[Met]:
    """The model with an optimizer, where calls have the one cast or the other built."""
    if not optimizers:
        return
    built = [*optimizers, *(outer for one in optimizers for outer in lifted_optimizers(one, source))]
    casts = [model, *lifted_casts(model, source)]
    for seen in (name for cast in casts for name in (cast, *aliases(cast, source))):
        fitting = (
            one for one in built if (one.name, one.owner) == (seen.name, seen.owner) and one.call is not seen.place
        )
        found = next((one for one in fitting if _is_trained_as_half(seen, one, source)), None)
        found = found or (_trained_elsewhere(seen, optimizers, source) if seen.at is not None else None)
        if found is not None:
            yield replace(seen, name=model.name or seen.name), found


def _is_trained_as_half(model: CastModel, optimizer: Trained, source: Source) -> bool:
    """Whether nothing here says that the weights are float32 after all, or that something keeps a float32 copy."""
    function = function_of(model.place, source)
    if function is not function_of(optimizer.call, source) or never_meet(model.place, optimizer.call, source):
        return False
    if _may_be_added(model, optimizer) and _ADDS.search(source.text):
        return False  # what is trained may have come after the cast, in float32
    trains = list(training_calls(function, source))
    before = (call for call in trains if call.lineno < model.place.lineno)
    earlier = [call for call in before if not are_alternatives(call, model.place, source)]
    is_after = len(earlier) == len(trains) if trains else _is_called_behind(model, optimizer)
    if is_after or any(call in walk(loop) for loop in loops(model.place, source) for call in earlier):
        return False  # for an export, or a checkpoint in the midst of training
    return not keeps_float32(model, optimizer, source)


def _is_called_behind(model: CastModel, optimizer: Trained) -> bool:
    """Whether a helper casts the model, or builds the optimizer, and the cast comes last: for an export, it seems."""
    return (model.at is not None or optimizer.lifted) and model.place.lineno > optimizer.call.lineno


def _may_be_added(model: CastModel, optimizer: Trained) -> bool:
    """Whether an optimizer holds some parameters alone, chosen behind the cast."""
    return optimizer.listed and optimizer.call.lineno > model.place.lineno


def _handed_in(model: CastModel, source: Source) -> Trained | None:
    """The optimizer that a function is handed beside the model, unless something here keeps that in float32."""
    optimizer = handed_optimizer(model, source)
    return optimizer if optimizer is not None and not keeps_float32(model, optimizer, source) else None


def _trained_elsewhere(model: CastModel, optimizers: list[Trained], source: Source) -> Trained | None:
    """The optimizer of a function or object that receives the model behind the cast, unless that has float32 again."""
    for name, owner in received(model, source):
        inside = replace(model, name=name, owner=owner)
        for optimizer in optimizers:
            is_same = (optimizer.name, optimizer.owner) == (name, owner) and not optimizer.listed
            if is_same and not any(keeps_float32(one, optimizer, source) for one in (model, inside)):
                return optimizer
    return None
