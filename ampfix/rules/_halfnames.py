"""Names of what may be half before an input is cast for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import walk
from ampfix.rules._shapes import inside, method, path

_CASTS = pattern(r"half|16|cast|convert", re.IGNORECASE)
_DTYPE = ("dtype", "torch_dtype")


def half_names(source: Source) -> Iterator[str]:
    """Names that some cast of the file is called on or assigned to, other than tensors fed to a model: `net` of
    `net = load(path).half()`, whatever `load` returns; what is built or moved with a dtype other than float32; and what
    a helper casts by its name: `convert_to_fp16(net)`."""
    for cast in source.half_casts:
        for around in inside(cast.node, source):
            if isinstance(around, ast.Assign) and isinstance(cast.operand, ast.Call):
                yield from (path(target) for target in around.targets)
            if isinstance(around, ast.stmt):
                break
    for node in source.nodes((ast.Assign, ast.Expr)):
        assert isinstance(node, (ast.Assign, ast.Expr))
        if isinstance(node.value, ast.Call) and _CASTS.search(last_name(node.value.func)):
            yield from map(path, (*getattr(node, "targets", ()), *node.value.args))
        if any(_gives_a_dtype(call) for call in walk(node.value) if isinstance(call, ast.Call)):
            moved = method(node.value)[0] if isinstance(node, ast.Expr) else node.value
            yield from (path(target) for target in (node.targets if isinstance(node, ast.Assign) else [moved]))


def _gives_a_dtype(call: ast.Call) -> bool:
    """`load(name, torch_dtype=half)`, `net.to(device, dtype)`."""
    given = [word.value for word in call.keywords if word.arg in _DTYPE]
    if method(call)[1] == "to":
        given += [one for one in call.args if "dtype" in path(one).rpartition(".")[2]]
    return any(not path(one).endswith(("float32", ".float")) for one in given)
