"""The dtype an operation returns: autocast's policy for its device where autocast acts, torch's promotion elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from ampfix.lint.ops import SHAPES
from ampfix.lint.symbols import CAST_TO_FLOAT, CAST_TO_HALF
from ampfix.program import Autocast, Context, Dtype, Value
from ampfix.records import dataclass

# Reduce, or normalise, in float32 under CUDA's policy alone; CPU's autocast leaves these as they come.
_LOSSES = frozenset(
    {
        "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "hinge_embedding_loss",
        "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss",
        "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss",
        "soft_margin_loss", "triplet_margin_loss", "ctc_loss", "gaussian_nll_loss", "cdist",
    }
)  # fmt: skip
_CUDA_FLOAT = CAST_TO_FLOAT | _LOSSES | {"rms_norm", "square", "pairwise_distance", "pow", "interpolate", "upsample"}
_CPU_FLOAT = _LOSSES - {"gaussian_nll_loss"}
_LOWER = CAST_TO_HALF | {"rnn", "outer_product", "multihead_attention", "multiheadattention"}
# Results have the widest dtype of these operands; every other op follows its first.
_MIXES = frozenset(
    {
        "add", "sub", "mul", "div", "maximum", "minimum", "atan2", "lerp", "addcmul", "addcdiv", "cat", "stack", "dot",
        "hstack", "vstack", "outer", "logaddexp", "xlogy", "bilinear", "pow", "cross", "vdot",
    }
)  # fmt: skip
_ANY_TENSOR = frozenset({"where"})
_INDICES = frozenset({"argmax", "argmin", "argsort", "eq", "ne", "lt", "gt", "le", "ge", "isnan", "isinf", "isfinite"})
_REDUCTIONS = frozenset(
    {"sum", "mean", "norm", "prod", "var", "std", "max", "min", "amax", "amin", "logsumexp", "trace"}
)


@dataclass(frozen=True)
class Outcome:
    dtype: Dtype
    sure: bool = True
    scalar: bool = False


def outcome(
    op: str, operands: Sequence[Value], context: Context, *, in_place: bool, requested: Value | None, reduces_all: bool
) -> Outcome:
    """dtype of `op`'s result. requested: the value of a dtype= argument; reduces_all: no dimension was named."""
    scalar = (op in _REDUCTIONS and reduces_all) or op in _LOSSES
    if requested is not None:
        return Outcome(requested.dtype, requested.sure, scalar)
    if in_place:
        first = operands[0] if operands else None
        return Outcome(first.dtype, first.sure) if first is not None else Outcome(Dtype.UNKNOWN)
    if op in _INDICES:
        return Outcome(Dtype.UNKNOWN)
    floats = _CPU_FLOAT if context.device == "cpu" else _CUDA_FLOAT
    if context.state is Autocast.ON:
        if op in _LOWER:
            return Outcome(context.dtype, context.sure)
        if op in floats:
            return Outcome(Dtype.FLOAT32, scalar=scalar)
    mixed = promoted(_leading(op, operands))
    if context.state is Autocast.UNKNOWN and mixed.dtype.is_half and (op in floats or op in _LOWER):
        return Outcome(mixed.dtype if op in _LOWER else Dtype.UNKNOWN, mixed.sure, scalar)
    return Outcome(mixed.dtype, mixed.sure, scalar or (mixed.scalar and op not in SHAPES))


def _leading(op: str, operands: Sequence[Value]) -> Sequence[Value]:
    if op in _MIXES or op in _LOWER or op in _LOSSES:
        return operands
    if op in _ANY_TENSOR:
        return operands[1:3] if len(operands) > 2 else operands
    return operands[:1]


def promoted(operands: Sequence[Value]) -> Outcome:
    """torch's promotion: float32 wins over half unless it has no dimensions; numbers adapt to tensors."""
    tensors = [operand for operand in operands if operand.dtype is not Dtype.NUMBER]
    if not tensors:
        return Outcome(Dtype.NUMBER if operands else Dtype.UNKNOWN)
    full = [tensor for tensor in tensors if not tensor.scalar] or tensors
    dtypes = {tensor.dtype for tensor in full}
    sure = all(tensor.sure for tensor in full)
    scalar = all(tensor.scalar for tensor in tensors)
    if Dtype.FLOAT32 in dtypes:
        return Outcome(Dtype.FLOAT32, sure, scalar)
    if Dtype.UNKNOWN in dtypes:
        return Outcome(Dtype.UNKNOWN)
    if len(dtypes) == 1:
        return Outcome(dtypes.pop(), sure, scalar)
    return Outcome(Dtype.UNKNOWN)


def joined(values: Sequence[Value]) -> Outcome:
    """What a name holds after branches that left these values in it: the half one, as a guess, beside an unknown."""
    dtypes = {value.dtype for value in values}
    if len(dtypes) == 1:
        return Outcome(dtypes.pop(), all(value.sure for value in values), all(value.scalar for value in values))
    halves = {dtype for dtype in dtypes if dtype.is_half}
    if len(halves) == 1 and dtypes - halves == {Dtype.UNKNOWN}:
        return Outcome(halves.pop(), False)
    return Outcome(Dtype.UNKNOWN)
