"""What an operation is called: torch's functions, tensor methods, layers and operators under one canonical name."""

from __future__ import annotations

import ast

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.MatMult: "matmul",
    ast.Pow: "pow",
}
_PREFIXES = (
    "torch.nn.functional.",
    "torch.special.",
    "torch.linalg.",
    "torch.Tensor.",
    "torch.functional.",
    "torch.",
)
_SYNONYMS = {
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "subtract": "sub",
    "expit": "sigmoid",
    "clip": "clamp",
    "softmin": "softmax",
    "negative": "neg",
    "absolute": "abs",
    "concat": "cat",
    "concatenate": "cat",
    "vector_norm": "norm",
    "matrix_norm": "norm",
    "arccos": "acos",
    "arcsin": "asin",
    "arctanh": "atanh",
}
# layer class -> the op it applies; a layer that is none of these applies its own name in lower case
_LAYERS = {
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "LogSoftmax": "log_softmax",
    "LogSigmoid": "logsigmoid",
    "Linear": "linear",
    "LazyLinear": "linear",
    "Bilinear": "bilinear",
    "ConvTranspose1d": "conv_transpose1d",
    "ConvTranspose2d": "conv_transpose2d",
    "ConvTranspose3d": "conv_transpose3d",
    "LayerNorm": "layer_norm",
    "GroupNorm": "group_norm",
    "RMSNorm": "rms_norm",
    "CosineSimilarity": "cosine_similarity",
    "PairwiseDistance": "pairwise_distance",
    "BatchNorm1d": "batch_norm",
    "BatchNorm2d": "batch_norm",
    "BatchNorm3d": "batch_norm",
    "SyncBatchNorm": "batch_norm",
    "LSTM": "rnn",
    "GRU": "rnn",
    "RNN": "rnn",
}
# Methods that only tensors have and whose result is the receiver's, element for element or a part of it.
SHAPES = frozenset(
    {
        "view", "reshape", "transpose", "permute", "squeeze", "unsqueeze", "flatten", "unflatten", "expand",
        "repeat", "contiguous", "t", "T", "mT", "flip", "roll", "chunk", "split", "unbind", "narrow", "select",
        "index_select", "gather", "masked_select", "diagonal", "diag", "tril", "triu", "swapaxes", "movedim", "take",
        "clone", "detach", "data", "requires_grad_", "cuda", "cpu", "view_as", "reshape_as", "expand_as",
        "repeat_interleave", "swapdims", "ravel", "index", "pin_memory", "real",
    }
)  # fmt: skip
TENSOR_METHODS = SHAPES | frozenset(
    {
        "abs", "add", "addmm", "amax", "amin", "baddbmm", "bmm", "clamp", "clamp_max", "clamp_min", "cos", "cumprod",
        "cumsum", "dist", "div", "dot", "erf", "exp", "expm1", "fill", "log", "log10", "log1p", "log2", "log_softmax",
        "logsumexp", "masked_fill", "matmul", "max", "maximum", "mean", "median", "min", "minimum", "mm", "mul", "mv",
        "nan_to_num", "neg", "norm", "pow", "prod", "reciprocal", "relu", "renorm", "round", "rsqrt", "sigmoid", "sign",
        "sin", "softmax", "sort", "sqrt", "square", "std", "sub", "sum", "tanh", "topk", "trace", "var", "where",
        "new_full", "new_zeros", "new_ones", "index_fill", "lerp", "addcmul", "addcdiv", "sinh", "cosh", "tan", "copy",
        "zero", "scatter", "scatter_add", "logit", "floor", "ceil", "type_as", "acos",
        "asin", "atanh",
    }
)  # fmt: skip


def of_symbol(symbol: str) -> str | None:
    """The op of a torch function, by qualified name; None for what is no function on tensors."""
    for prefix in _PREFIXES:
        rest = symbol[len(prefix) :]
        if symbol.startswith(prefix) and rest.isidentifier() and (rest[0].islower() or rest[0] == "_"):
            return _SYNONYMS.get(rest, rest)
    return None


def of_layer(symbol: str) -> str | None:
    """The op that calling an instance of a torch.nn class applies; None for other classes."""
    name = symbol.rpartition(".")[2]
    if not symbol.startswith("torch.nn.") or not name[:1].isupper():
        return None
    return _LAYERS.get(name, name.lower())


def of_method(name: str) -> str:
    """The op of a tensor method, without the underscore of the in-place form."""
    base = name[:-1] if is_in_place(name) else name
    return _SYNONYMS.get(base, base)


def is_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
