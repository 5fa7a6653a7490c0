"""Half tensors that are built, and half copies of models: what an accumulator may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, Source
from ampfix.records import dataclass
from ampfix.rules._shapes import method, owner_of, path


@dataclass(frozen=True)
class Built:
    """A half tensor or model copy. half: the dtype or cast that makes it half; at: the statement that names it."""

    name: str
    owner: ast.AST
    half: ast.expr
    dtype: str
    at: ast.AST
    is_copy: bool


_FACTORIES = frozenset(
    {"zeros", "ones", "tensor", "full", "empty", "scalar_tensor", "zeros_like", "ones_like", "full_like", "empty_like"}
)
_COPIES = ("copy.deepcopy", "torch.optim.swa_utils.AveragedModel")
_MAKERS = _FACTORIES | {"deepcopy", "AveragedModel"}


def built_in_half(source: Source) -> Iterator[Built]:
    casts = {cast.node: cast.dtype for cast in source.half_casts}
    for node in source.nodes((ast.Assign, ast.AnnAssign, ast.Call)):
        name, value = _named(node)
        if not name or not isinstance(value, ast.Call):
            continue
        half: ast.expr | None = None
        dtype = ""
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and not _maker(value, source):
            if value in casts:
                half, dtype = value, casts[value]
            elif value.func.attr in ("float", "double", "detach", "item"):
                break
            value = value.func.value
        made = _maker(value, source) if isinstance(value, ast.Call) else ""
        if made in _FACTORIES and half is None and isinstance(value, ast.Call):
            half, dtype = next(
                (
                    (k.value, found)
                    for k in value.keywords
                    if k.arg == "dtype" and (found := source.half_dtype(k.value))
                ),
                (None, ""),
            )
        if half is not None and made:
            yield Built(name, owner_of(node, name, source), half, dtype, node, made in _COPIES)


def tables_in_half(source: Source) -> Iterator[Built]:
    """`{name: p.clone().half() for name, p in ...}` and the list of the same: an average kept beside the model."""
    casts = {cast.node: cast.dtype for cast in source.half_casts}
    for assign in source.nodes((ast.Assign,)):
        assert isinstance(assign, ast.Assign)
        made, name = assign.value, path(assign.targets[0])
        value = made.value if isinstance(made, ast.DictComp) else made.elt if isinstance(made, ast.ListComp) else None
        if name and isinstance(value, ast.Call) and value in casts:
            yield Built(name, owner_of(assign, name, source), value, casts[value], assign, is_copy=True)


def _named(node: ast.AST) -> tuple[str, ast.expr | None]:
    """The name a node gives a value, and the value: an assignment or a registered buffer."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return path(node.targets[0]), node.value
    if isinstance(node, ast.AnnAssign):
        return path(node.target), node.value
    receiver, name = method(node)
    if name == "register_buffer" and isinstance(node, ast.Call) and len(node.args) > 1:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and path(receiver):
            return f"{path(receiver)}.{first.value}", node.args[1]
    return "", None


def _maker(call: ast.Call, source: Source) -> str:
    """What makes the value: the name of torch's factory, or the qualified name of what copies a model."""
    if not source.may_be(call.func, _MAKERS):
        return ""
    for binding in source.resolve(call.func):
        if binding.form is Form.SYMBOL:
            if binding.symbol in _COPIES:
                return binding.symbol
            if binding.symbol.rpartition(".")[0] == "torch" and binding.symbol.rpartition(".")[2] in _FACTORIES:
                return binding.symbol.rpartition(".")[2]
    return ""
