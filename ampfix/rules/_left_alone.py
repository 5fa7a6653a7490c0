"""Whether a file shows that nothing makes a float32 model half before an input is cast for it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules._shapes import function_of, handed_in, own, path

_DEFAULTS = pattern(r"set_default_(dtype|tensor_type)")
_HALVES = frozenset({"half", "bfloat16", "float16"})


def stays_float32(name: str, call: ast.Call, fed: Collection[ast.Call], source: Source) -> bool:
    """Whether all that a file casts is fed to calls, and the model to nothing unseen that may cast it. name: of the
    model; fed: the casts of inputs."""
    if any(cast.node not in fed for cast in source.half_casts) or _DEFAULTS.search(source.text):
        return False
    before = (
        node for node in own(function_of(call, source)) if isinstance(node, ast.Call) and node.lineno < call.lineno
    )
    return not any(_may_cast(one, source) for one in before if _takes(name, one, source))


def _takes(name: str, call: ast.Call, source: Source) -> bool:
    """Whether a call is handed a model, or hands it back: `net = prepare(Net())`."""
    parent = next(source.ancestors(call), None)
    targets = map(path, parent.targets) if isinstance(parent, ast.Assign) else ()
    handed = handed_in(call)
    return name in map(path, handed) or (name in targets and any(isinstance(one, ast.Call) for one in handed))


def _may_cast(call: ast.Call, source: Source) -> bool:
    """Whether a call runs code of another file that says half, or that is not seen."""
    if hasattr(builtins, path(call.func)):
        return False
    bindings = source.resolve(call.func)
    if any(one.form in (Form.FUNCTION, Form.CLASS) or one.symbol.startswith("torch.") for one in bindings):
        return False  # what the file casts is known
    there = source.called_elsewhere(call)
    return not there or any(_HALVES & _words(to.definition) for to in there)


def _words(definition: ast.AST) -> set[str]:
    return {getattr(node, "attr", "") for node in walk(definition)}
