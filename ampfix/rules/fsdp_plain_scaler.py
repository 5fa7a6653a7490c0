"""AMP703."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Form, ScalerBuilt, Source
from ampfix.program.tree import walk
from ampfix.rules._arguments import SCALER_PARAMETERS
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._places import called

_TORCH = "torch.distributed.fsdp."
_FSDP = frozenset(
    {
        f"{_TORCH}FullyShardedDataParallel",
        f"{_TORCH}fully_sharded_data_parallel.FullyShardedDataParallel",
        "fairscale.nn.FullyShardedDataParallel",
        "fairscale.nn.data_parallel.FullyShardedDataParallel",
    }
)
_WRAPS = r"wrap|shard|fsdp|distribut|parallel|prepare|setup"
_WRAPPED = rf"near:model:model\w*\s*=\s*[\w.]*(?:{_WRAPS})\w*\("
_WRAPPER = pattern(_WRAPS, re.IGNORECASE)
_NAMES = ("FSDP", "FullyShardedDataParallel")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class FsdpPlainScaler(Rule):
    """A sharded model trains with a scaler that looks at one rank's shard alone.

    ## What it does
    Finds `GradScaler` in a file that wraps its model in FullyShardedDataParallel (FSDP1). `ShardedGradScaler`, FSDP2's
    `fully_shard` (whose DTensors share found_inf), NO_SHARD and a scaler that is switched off are fine.

    ## Why is this bad
    FSDP1 leaves each rank with the gradients of its own shard. `GradScaler` searches these for inf and NaN, so one rank
    skips the step and halves its scale while the others go on: the shards belong to different steps from then on, and
    each rank multiplies its loss by another scale. Nothing raises.

    ## Example
    ```python
    model = FullyShardedDataParallel(model)
    scaler = torch.amp.GradScaler("cuda")
    ```

    ## Use instead
    ```python
    from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler

    model = FullyShardedDataParallel(model)
    scaler = ShardedGradScaler()
    ```

    ## Fix safety
    Safe: it is the same scaler, which also reduces found_inf over all ranks. Arguments become keywords, since their
    order differs. Where the model is wrapped on some paths only, the finding is a note without a repair: the sharded
    scaler needs a process group.

    ## References
    - https://pytorch.org/docs/stable/fsdp.html
    - https://github.com/pytorch/pytorch/issues/76607
    """

    code, name, severity = "AMP703", "fsdp-plain-scaler", Severity.ERROR
    fix = Applicability.SAFE
    unproven = "the judge takes whole weights, and FSDP leaves each rank a shard of them"
    mentions = (("FullyShardedDataParallel", "GradScaler"), ("GradScaler", _WRAPPED))

    VALID = (
        """\
import torch
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP, ShardingStrategy
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler

def setup(model):
    return FSDP(model), ShardedGradScaler()
""",
        """\
import torch
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP, ShardingStrategy

model = FSDP(model, sharding_strategy=ShardingStrategy.NO_SHARD)
scaler = torch.amp.GradScaler("cuda")
""",
        """\
import torch
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

def is_sharded(model):
    return isinstance(model, FullyShardedDataParallel)

fully_shard(model)
scaler = torch.amp.GradScaler("cuda")
""",
        """\
import torch
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

model = FSDP(model)
scaler = torch.amp.GradScaler("cuda", enabled=False)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

model = FSDP(model)
scaler = torch.amp.GradScaler("cuda", 1024.0, enabled=use_amp)
""",
            """\
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler
import torch
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

model = FSDP(model)
scaler = ShardedGradScaler(init_scale=1024.0, enabled=use_amp)
""",
            (5,),
        ),
        Invalid(
            """\
import torch
from torch.cuda.amp import GradScaler, autocast
from torch.distributed.fsdp import FullyShardedDataParallel

class Trainer:
    def __init__(self, model):
        self.model = FullyShardedDataParallel(model)
        self.scaler = GradScaler(2.0**12, 2.0)
""",
            """\
from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler
import torch
from torch.cuda.amp import autocast
from torch.distributed.fsdp import FullyShardedDataParallel

class Trainer:
    def __init__(self, model):
        self.model = FullyShardedDataParallel(model)
        self.scaler = ShardedGradScaler(init_scale=2.0**12, growth_factor=2.0)
""",
            (8,),
        ),
        Invalid(
            """\
import torch
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

if args.fsdp:
    model = FSDP(model)
scaler = torch.amp.GradScaler("cuda")
""",
            None,
            (6,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        wrapped = [call for call in source.nodes((ast.Call,)) if isinstance(call, ast.Call) and _shards(call, source)]
        plain = [built for built in source.scalers if built.symbol in SCALER_PARAMETERS]
        if not plain or len(plain) < len(source.scalers):
            return  # somebody here knows the sharded scaler
        elsewhere = not wrapped and any(_shards_elsewhere(call, source) for call in source.nodes((ast.Call,)))
        if not wrapped and not elsewhere:
            return
        always = any(_is_certain(call, source) for call in wrapped)
        fairscale = bool(wrapped) and not any(_is_torchs(call, source) for call in wrapped)
        for built in plain:
            if _is_off(built):
                continue
            yield self.finding(
                source,
                source.span(built.node),
                "GradScaler looks for inf and NaN in this rank's shard alone, and the model is sharded by FSDP: ranks "
                "skip different steps; use ShardedGradScaler",
                proven=always,
                symbol=built.symbol,
                repair=_repaired(built, always, fairscale, source),
            )


def _shards(call: ast.Call, source: Source) -> bool:
    if not any(b.form in (Form.SYMBOL, Form.PARTIAL) and b.symbol in _FSDP for b in source.resolve(call.func)):
        return False
    return not any("NO_SHARD" in ast.unparse(keyword.value) for keyword in call.keywords)


def _shards_elsewhere(call: ast.AST, source: Source) -> bool:
    """Whether a helper of another file, called like one that wraps models, shards on some path."""
    assert isinstance(call, ast.Call)
    if _WRAPPER.search(called(call)) is None:
        return False
    return any(
        isinstance(inner, ast.Call) and called(inner) in _NAMES and "NO_SHARD" not in ast.unparse(inner)
        for helper in source.called_elsewhere(call)
        for inner in walk(helper.definition)
    )


def _is_torchs(call: ast.Call, source: Source) -> bool:
    return any(binding.symbol.startswith(_TORCH) for binding in source.resolve(call.func))


def _is_certain(call: ast.Call, source: Source) -> bool:
    """Whether no test stands around the call inside its function."""
    for node in source.ancestors(call):
        if isinstance(node, (ast.If, ast.IfExp, ast.Match, ast.Try)):
            return False
        if isinstance(node, _FUNCTIONS):
            return True
    return True


def _is_off(built: ScalerBuilt) -> bool:
    enabled = (built.arguments or {}).get("enabled")
    return isinstance(enabled, ast.Constant) and enabled.value is False


def _repaired(built: ScalerBuilt, always: bool, fairscale: bool, source: Source) -> Repair | str:
    if fairscale:
        return "fairscale brings a ShardedGradScaler of its own; build that"
    if not always:
        return "the model is sharded on some paths only; build ShardedGradScaler on these"
    if built.arguments is None:
        return "arguments are unpacked into GradScaler; build ShardedGradScaler with them by hand"
    order = ",".join(SCALER_PARAMETERS[built.symbol])
    message = "Build a ShardedGradScaler"
    return Repair("shard_scaler", Applicability.SAFE, message, source.span(built.node), {"order": order})
