"""Functions that train for one epoch, by what they do: whoever trains for more calls them again and again."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.rules import _places as places

_TRAIN = pattern(r"_?(do_|run_)?(train|training|fit)(_(model|net|network|loop|fn|func|one|local))?")
_EVALUATES = pattern(r"_?(do_|run_)?(valid\w*|eval\w*|test)(_(model|net|network|loop|fn|func|one))?")
_LENGTH = pattern(r"(^|_)(epochs|iters|iterations)$|^(max|total|num|n)_(epoch|iter|step|batch)")


def is_one_pass(function: ast.FunctionDef | ast.AsyncFunctionDef, backwards: list[ast.Call], source: Source) -> bool:
    """Whether a function that is named for training goes through the batches that it is handed once, with the optimizer
    that it is handed, in a file that only offers it beside one for evaluation. backwards: the calls in it that scale a
    loss."""
    if not _TRAIN.fullmatch(function.name) or any(_LENGTH.search(_last(name)) for name in places.names_in(function)):
        return False
    if not any(_EVALUATES.fullmatch(one.name) and not source.calls_to(one.name) for one in _functions(source)):
        return False
    handed = places.parameters(function)
    around = [places.loops_around(call, source) for call in backwards]
    if any(len(loops) != 1 for loops in around) or len({loops[0] for loops in around}) != 1:
        return False
    (loop, *_), *_ = around
    return isinstance(loop, ast.For) and bool(places.names_in(loop.iter) & handed) and _steps(function, handed)


def _functions(source: Source) -> Iterator[ast.FunctionDef]:
    return (one for one in source.tree.body if isinstance(one, ast.FunctionDef))


def _steps(function: ast.AST, optimizers: Set[str]) -> bool:
    steps = (call for call in places.methods_called(function, "step") if call.args)
    return any(places.spelled(call.args[0]) in optimizers for call in steps)


def _last(path: str) -> str:
    return path.rpartition(".")[2]
