"""What names of torch and its like mean in a dry run."""

from __future__ import annotations

SCALERS = ("GradScaler", "ShardedGradScaler")
_OPTIMIZER_WORDS = (
    "torch.optim.",
    "bitsandbytes.",
    "apex.optimizers.",
    "timm.optim.",
    "transformers.AdamW",
    "lion_pytorch.",
)
_SCHEDULER_WORDS = ("lr_scheduler", "_schedule", "get_scheduler", "swa_utils", "SWALR")
SAVERS = frozenset(
    {"torch.save", "accelerate.utils.save", "pickle.dump", "joblib.dump", "xm.save", "torch_xla.core.xla_model.save"}
)
# Calls that return their first argument as far as its identity goes.
TRANSPARENT = frozenset(
    {"torch.compile", "torch.nn.DataParallel", "torch.nn.parallel.DataParallel", "torch.jit.script"}
    | {"torch.nn.parallel.DistributedDataParallel", "torch.nn.parallel.distributed.DistributedDataParallel"}
    | {"apex.parallel.DistributedDataParallel", "torch.nn.SyncBatchNorm.convert_sync_batchnorm", "typing.cast"}
    | {"torch.distributed.fsdp.FullyShardedDataParallel", "tqdm.tqdm", "tqdm.auto.tqdm", "tqdm.notebook.tqdm", "iter"}
)
# Calls that keep or look at the functions that they are handed.
NOT_CALLING = frozenset({"wraps", "update_wrapper", "signature", "getsource", "iscoroutinefunction", "field"})
COPIES = frozenset({"copy.deepcopy", "copy.copy"})
NO_GRAD = frozenset(
    {"torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.grad_mode.no_grad"}
)
WITH_GRAD = frozenset({"torch.enable_grad", "torch.autograd.enable_grad"})
CLIPS = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "dispatch_clip_grad")
# Methods of a library's objects that return the object itself.
SELF_RETURNING = frozenset(
    {
        "cuda",
        "cpu",
        "to",
        "train",
        "eval",
        "requires_grad_",
        "apply",
        "half",
        "float",
        "double",
        "bfloat16",
        "share_memory",
    }
)
METHODS = frozenset({"unscale_", "backward", "state_dict", "load_state_dict", "forward"})
# Methods whose result has nothing of the tensors in it.
PLAIN = frozenset({"item", "tolist", "size", "dim", "numel", "shape", "numpy"})


def is_scaler(symbol: str) -> bool:
    return symbol.rpartition(".")[2] in SCALERS


def is_autocast(symbol: str) -> bool:
    return symbol.rpartition(".")[2] == "autocast" and symbol.partition(".")[0] == "torch"


def is_optimizer(symbol: str) -> bool:
    return symbol.startswith(_OPTIMIZER_WORDS) and not is_scheduler(symbol)


def is_scheduler(symbol: str) -> bool:
    return any(word in symbol for word in _SCHEDULER_WORDS)
