"""torch.nn layers whose sizes the source fixes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, Source
from ampfix.records import dataclass

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_PARAMETERS = {
    "Linear": ("in_features", "out_features"),
    "Embedding": ("num_embeddings", "embedding_dim"),
    **dict.fromkeys(CONVOLUTIONS, ("in_channels", "out_channels")),
}


@dataclass(frozen=True)
class Layer:
    """One constructed layer. sizes: what goes in and what comes out; None where the source does not fix it."""

    node: ast.Call
    kind: str
    source: ast.expr | None
    result: ast.expr | None
    sizes: tuple[int | None, int | None]


def layers(source: Source) -> Iterator[Layer]:
    """Every Linear, Embedding and convolution that is built, in source order."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        kind = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if kind not in _PARAMETERS or not call.args + call.keywords:
            continue
        if any(b.form is not Form.SYMBOL or b.symbol != f"torch.nn.{kind}" for b in source.resolve(call.func)):
            continue
        first, second = (_argument(call, name, place) for place, name in enumerate(_PARAMETERS[kind]))
        yield Layer(call, kind, first, second, (_size(first, source), _size(second, source)))


def _argument(call: ast.Call, name: str, place: int) -> ast.expr | None:
    if any(isinstance(argument, ast.Starred) for argument in call.args[: place + 1]):
        return None
    if place < len(call.args):
        return call.args[place]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _size(node: ast.expr | None, source: Source) -> int | None:
    value = source.number(node) if node is not None else None
    return int(value) if value is not None and value == int(value) and value > 0 else None
