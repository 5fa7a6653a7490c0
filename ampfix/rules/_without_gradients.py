"""Code that records no gradients: regions of which only what follows in float32 is trained, and methods for results."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Form, Source
from ampfix.program.tree import unparsed, walk
from ampfix.rules._shapes import function_of, handed_in, is_without_grad, method, path, placed

_FOR_RESULTS = pattern(r"predict|infer|sample|generate|reconstruct|(ddim|ddpm|p)_sample")
_RECORDS_NONE = pattern(r"no_grad|inference_mode")


def leaves_no_gradient(region: CoveredRegion, source: Source) -> bool:
    """Whether a region runs without gradients, or hands on only what is detached, or what frozen models make."""
    if is_without_grad(region.opening, source):
        return True
    made = list(_made(region.node))
    return bool(made) and (_all_detached(made, region, source) or all(_is_frozen(one.value, source) for one in made))


def records_none(call: ast.Call, source: Source) -> bool:
    """Whether a call records no gradients: by what is around it, or by the decorator of the method that it runs."""
    if is_without_grad(call, source):
        return True
    if not _FOR_RESULTS.match(method(call)[1]):
        return False
    here = [one.node for one in source.resolve(call.func) if one.form is Form.FUNCTION]
    run = here or [one.definition for one in source.called_elsewhere(call)]
    return any(_RECORDS_NONE.search(unparsed(one)) for each in run for one in getattr(each, "decorator_list", ()))


def _made(node: ast.AST) -> Iterator[ast.Assign]:
    """What a `with` block assigns to names; nothing where it does anything else."""
    body = node.body if isinstance(node, ast.With) else []
    plain = [one for one in body if isinstance(one, ast.Assign) and all(isinstance(t, ast.Name) for t in one.targets)]
    return iter(plain if len(plain) == len(body) else ())


def _all_detached(made: list[ast.Assign], region: CoveredRegion, source: Source) -> bool:
    """Whether whatever reads the names behind the region detaches them, where that is not done inside."""
    open_names = {path(one.targets[0]) for one in made if method(one.value)[1] != "detach"}
    inside = set(walk(region.node))
    detached = {method(node)[0] for node in walk(function_of(region.opening, source)) if method(node)[1] == "detach"}
    reads = [
        node
        for node in walk(function_of(region.opening, source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in inside
    ]
    return all(read in detached for read in reads if read.id in open_names) and any(
        read.id in {path(one.targets[0]) for one in made} for read in reads
    )


def _is_frozen(value: ast.expr, source: Source) -> bool:
    """`backbone(x)` on data alone, of a model whose parameters the same function tells to take no gradient."""
    name = path(value.func) if isinstance(value, ast.Call) else ""
    function = function_of(value, source)
    if not name or not _is_data(value, function):
        return False
    told = [node for node in walk(function) if _tells(node, name)]
    return bool(told) and all("False" in ast.unparse(node) for node in told)


def _is_data(call: ast.expr, function: ast.AST) -> bool:
    """Whether all that a call is handed comes out of the loops, on whatever device."""
    loops = (node for node in walk(function) if isinstance(node, ast.For))
    batch = {node.id for loop in loops for node in walk(loop.target) if isinstance(node, ast.Name)}
    given = handed_in(call) if isinstance(call, ast.Call) else []
    return bool(given) and all(path(placed(one)) in batch for one in given)


def _tells(node: ast.AST, name: str) -> bool:
    """Whether a statement says if a model takes gradients: `net.requires_grad_(...)`, or a loop over its parameters."""
    if isinstance(node, ast.For):
        receiver, called = method(node.iter)
        return called == "parameters" and path(receiver) == name and "requires_grad" in ast.unparse(node)
    receiver, called = method(node)
    return called == "requires_grad_" and path(receiver) == name
