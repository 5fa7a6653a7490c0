"""torch's names as the static witness knows them: one table per meaning."""

from __future__ import annotations

from ampfix.program import Role

SCALERS = frozenset(
    {
        "torch.GradScaler",
        "torch.amp.GradScaler",
        "torch.amp.grad_scaler.GradScaler",
        "torch.cuda.amp.GradScaler",
        "torch.cuda.amp.grad_scaler.GradScaler",
        "torch.cpu.amp.GradScaler",
        "torch.cpu.amp.grad_scaler.GradScaler",
        "torch.distributed.fsdp.sharded_grad_scaler.ShardedGradScaler",
    }
)
# region class -> the device it stands for; None: its first argument says
AUTOCASTS: dict[str, str | None] = {
    "torch.autocast": None,
    "torch.amp.autocast": None,
    "torch.amp.autocast_mode.autocast": None,
    "torch.cuda.amp.autocast": "cuda",
    "torch.cuda.amp.autocast_mode.autocast": "cuda",
    "torch.cpu.amp.autocast": "cpu",
    "torch.cpu.amp.autocast_mode.autocast": "cpu",
}
_CLIP_NAMES = ("clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "clip_grad_norm")
CLIPS = frozenset(
    f"{package}.{name}" for package in ("torch.nn.utils", "torch.nn.utils.clip_grad") for name in _CLIP_NAMES
) | {"timm.utils.dispatch_clip_grad", "timm.utils.adaptive_clip_grad", "timm.utils.clip_grad.dispatch_clip_grad"}
DTYPES = {
    "torch.float16": "float16",
    "torch.half": "float16",
    "torch.bfloat16": "bfloat16",
    "torch.float32": "float32",
    "torch.float": "float32",
}
DEFAULT_DTYPE = {"cuda": "float16", "cpu": "bfloat16"}  # torch.get_autocast_dtype(device)

_OPTIMIZER_MODULES = (
    "torch.optim.",
    "bitsandbytes.optim.",
    "apex.optimizers.",
    "timm.optim.",
    "transformers.optimization.",
)
_OPTIMIZER_SYMBOLS = frozenset({"transformers.AdamW", "lion_pytorch.Lion", "torch_optimizer.Lamb"})
_NOT_OPTIMIZERS = ("lr_scheduler", "swa_utils", "SWALR")
_SCHEDULER_WORDS = ("lr_scheduler.", "_schedule_with_warmup", "_schedule", "get_scheduler", "SWALR")

# CUDA's autocast policy (torch's op reference): which ops return half, and which float32, whatever comes in.
CAST_TO_HALF = frozenset(
    {
        "matmul", "mm", "bmm", "mv", "addmm", "addbmm", "baddbmm", "addmv", "chain_matmul", "multi_dot", "einsum",
        "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
        "conv_transpose3d", "scaled_dot_product_attention", "prelu",
    }
)  # fmt: skip
CAST_TO_FLOAT = frozenset(
    {
        "acos", "asin", "cosh", "cumprod", "cumsum", "dist", "erfinv", "exp", "expm1", "group_norm", "layer_norm",
        "log", "log10", "log1p", "log2", "log_softmax", "logsumexp", "norm", "normalize", "pdist", "pow", "prod",
        "reciprocal", "renorm", "rsqrt", "sinh", "softmax", "softmin", "softplus", "sum", "tan", "cdist",
        "cosine_similarity",
    }
)  # fmt: skip
_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
HALF_LAYERS = frozenset({"Linear", "LazyLinear", "PReLU", *_CONVOLUTIONS})
PARTIAL = frozenset({"functools.partial", "functools.partialmethod"})
# Calls that return (a wrapped form of) their first argument, as far as roles go.
TRANSPARENT = frozenset(
    {"copy.copy", "copy.deepcopy", "typing.cast", "torch.compile", "torch.nn.DataParallel"}
    | {"torch.nn.parallel.DistributedDataParallel", "torch.nn.parallel.distributed.DistributedDataParallel"}
)
# Methods of modules that return the module.
SELF_RETURNING = frozenset({"cuda", "cpu", "to", "train", "eval", "requires_grad_", "apply"})


def role_of_instance(symbol: str) -> Role:
    """What calling this symbol returns."""
    if symbol in SCALERS:
        return Role.SCALER
    if symbol in AUTOCASTS:
        return Role.AUTOCAST
    if any(word in symbol for word in _SCHEDULER_WORDS):
        return Role.SCHEDULER
    if symbol in _OPTIMIZER_SYMBOLS:
        return Role.OPTIMIZER
    if symbol.startswith(_OPTIMIZER_MODULES) and not any(word in symbol for word in _NOT_OPTIMIZERS):
        return Role.OPTIMIZER
    return Role.OTHER


def is_known(symbol: str) -> bool:
    """Whether the tables here say what the symbol is, so that its source need not be read."""
    return symbol in SCALERS or symbol in AUTOCASTS or symbol in CLIPS
