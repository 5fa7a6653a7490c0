"""Methods of a base class in another file that evaluate the model which a class of this file trains under autocast."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ampfix.program import CalledElsewhere, Source
from ampfix.program.tree import TreeIndex, unparsed, walk
from ampfix.rules._evaluated_elsewhere import evaluates
from ampfix.rules._evaluations import LIKE_A_REGION
from ampfix.rules._models import SELF
from ampfix.rules._reached import Reached
from ampfix.rules._shapes import path
from ampfix.rules._trained_models import TrainedModel


def evaluated_by_bases(
    source: Source, trained: Sequence[TrainedModel]
) -> Iterator[tuple[TrainedModel, CalledElsewhere]]:
    """Those that the base class itself calls, or this file."""
    for one in trained:
        if not isinstance(one.owner, ast.ClassDef) or not one.name.startswith(f"{SELF}."):
            continue
        overridden = {getattr(inner, "name", "") for inner in one.owner.body}
        for to in (method for base in one.owner.bases for method in source.methods_elsewhere(base)):
            if to.definition.name in overridden or not _is_called(to.definition, source):
                continue
            if evaluates(Reached(to.definition, frozenset({one.name}), False, to.calls), source):
                yield one, to


def _is_called(function: ast.FunctionDef, source: Source) -> bool:
    """Whether a method is called by its class or in the checked file, and nowhere in a region."""
    tree: TreeIndex | None = getattr(function, "ampfix_tree", None)
    owner = tree.parents.get(function) if tree is not None else None
    name = f"{SELF}.{function.name}"
    scopes = (source.tree, owner) if owner is not None else (source.tree,)
    made = [one for scope in scopes for one in walk(scope) if isinstance(one, ast.Call) and path(one.func) == name]
    return bool(made) and not any(_is_covered(made, scope) for scope in scopes)


def _is_covered(made: list[ast.Call], scope: ast.AST) -> bool:
    opened = (one for one in walk(scope) if isinstance(one, (ast.With, ast.AsyncWith)))
    like = (one for one in opened if any(LIKE_A_REGION.search(unparsed(item.context_expr)) for item in one.items))
    return any(call in walk(one) for one in like for call in made)
