"""The optimizers that a file builds over the parameters of named modules."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ampfix.program import Form, Role, Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules._halfmodels import assigned, set_to
from ampfix.rules._shapes import function_of, loops, method, owner_of, path


@dataclass(frozen=True)
class Trained:
    """An optimizer over the parameters of a named module. listed: over a list that may leave some of them out. lifted:
    the call only has it built."""

    call: ast.Call
    name: str
    owner: ast.AST
    symbol: str
    target: str
    listed: bool = False
    lifted: bool = False


def trained(source: Source) -> Iterator[Trained]:
    """Optimizers built over `name.parameters()`, or over lists and groups of them."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "params")]
        listed = list(_listed(given, source)) if any(_may_be_listed(one, source) for one in given) else []
        owners = [
            path(method(child)[0])
            for value in (*given, *listed)
            for child in walk(value)
            if method(child)[1] in ("parameters", "named_parameters")
        ]
        if not owners or not all(owners):
            continue
        symbols = [b.symbol for b in source.resolve(call.func) if b.form in (Form.SYMBOL, Form.PARTIAL)]
        if len(symbols) == 1 and source.held(call).role is Role.OPTIMIZER:
            parent = next(source.ancestors(call), None)
            target = path(parent.targets[0]) if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else ""
            for owner in dict.fromkeys(owners):
                leaves_out = any(map(_leaves_out, listed))
                yield Trained(call, owner, owner_of(call, owner, source), symbols[0], target, leaves_out)


def _may_be_listed(given: ast.expr, source: Source) -> bool:
    return isinstance(given, (ast.List, ast.BinOp)) or (isinstance(given, ast.Name) and given.id in set_to(source))


def _listed(given: Iterable[ast.expr], source: Source) -> Iterator[ast.AST]:
    """What the names among some arguments, and in lists and groups there, are set to, and the loops that fill them."""
    pending, seen = list(given), set[str]()
    while pending:
        value = pending.pop()
        pending += _parts(value)
        if isinstance(value, ast.Name) and value.id not in seen:
            seen.add(value.id)
            own = list(assigned(value.id, owner_of(value, value.id, source), source))
            pending += own
            yield from own
            yield from _filling(value, source) if any(isinstance(one, ast.List) for one in own) else ()


def _parts(value: ast.expr) -> list[ast.expr]:
    """The lists and groups of parameters that one is made of."""
    if isinstance(value, (ast.List, ast.Tuple)):
        return value.elts
    if isinstance(value, ast.Dict):
        return value.values
    if isinstance(value, ast.BinOp):
        return [value.left, value.right]
    if isinstance(value, ast.Starred):
        return [value.value]
    return value.args if isinstance(value, ast.Call) and last_name(value.func) in ("list", "chain") else []


def _leaves_out(value: ast.AST) -> bool:
    """Whether a list, or the loop that fills it, may leave some of the parameters out."""
    return isinstance(value, ast.For) or any(isinstance(node, ast.comprehension) and node.ifs for node in walk(value))


def _filling(name: ast.Name, source: Source) -> Iterator[ast.For]:
    """The loops that append to a list."""
    for call in source.calls_to("append"):
        if path(method(call)[0]) == name.id and function_of(call, source) is function_of(name, source):
            yield from (loop for loop in loops(call, source)[:1] if isinstance(loop, ast.For))
