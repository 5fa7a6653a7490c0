"""AMP501."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Source
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._layers import Layer, layers
from ampfix.rules._shapes import is_on_gpu
from ampfix.rules._spellings import REGION_ON

STEP = 8  # 16 bytes of halves: the alignment that tensor cores read in
LARGE = 1024  # from here on a size is a vocabulary or a wide layer, and its products dominate a step
SMALL = 64  # narrower layers are bound by memory and launches, whatever their alignment


class MisalignedDims(Rule):
    """A layer's size is not a multiple of 8.

    ## What it does
    Finds Linear, Embedding and convolution layers with sizes that the source fixes and 8 does not divide, in files that
    use AMP: vocabularies of 1024 and more, and hidden sizes of 64 and more. Class counts, colour channels and the width
    of the data are what they are and are left alone.

    ## Why is this bad
    Tensor cores read halves 16 bytes at a time. cuBLAS and cuDNN fall back to slower kernels, or pad inside, for rows
    that do not end on such a boundary; for a large vocabulary that is a good part of the step.

    ## Example
    ```python
    VOCAB = 50257
    head = nn.Linear(768, VOCAB)
    ```

    ## Use instead
    ```python
    VOCAB = 50304  # 50257, rounded up to a multiple of 64
    head = nn.Linear(768, VOCAB)
    ```

    ## Fix safety
    Unsafe: the parameters have another shape, so old checkpoints do not fit; entries beyond the real vocabulary are
    never a target.

    ## References
    - https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/index.html
    """

    code, name, severity = "AMP501", "misaligned-dims", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("misaligned-vocabulary",)
    mentions = (("autocast", "Linear("), ("autocast", "Conv"), ("autocast", "Embedding("))
    needs = ((REGION_ON,),)

    VALID = (
        """\
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Flatten(), nn.Linear(784, 512), nn.Linear(512, 100), nn.Linear(12, 10))
words = nn.Embedding(50257, 512)
with torch.autocast("cuda"):
    net(x)
""",
        """\
from torch import nn

head = nn.Linear(768, 50257)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch import nn

VOCAB = 50257

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCAB, 768)
        self.head = nn.Linear(768, VOCAB, bias=False)

    def loss(self, tokens, targets):
        with torch.autocast("cuda"):
            logits = self.head(self.words(tokens))
            return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
""",
            """\
import torch
from torch import nn

VOCAB = 50304

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCAB, 768)
        self.head = nn.Linear(768, VOCAB, bias=False)

    def loss(self, tokens, targets):
        with torch.autocast("cuda"):
            logits = self.head(self.words(tokens))
            return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
""",
            (10,),
        ),
        Invalid(
            """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(64, 250), nn.BatchNorm1d(250), nn.ReLU(), nn.Linear(250, 10)).cuda()
with torch.autocast("cuda"):
    out = model(torch.randn(32, 64, device="cuda"))
""",
            """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 10)).cuda()
with torch.autocast("cuda"):
    out = model(torch.randn(32, 64, device="cuda"))
""",
            (4,),
        ),
        Invalid(
            """\
import torch
from torch import nn

model = nn.Linear(127, 253).cuda()
with torch.autocast("cuda"):
    out = model(torch.randn(32, 127, device="cuda"))
""",
            None,
            (4,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if not is_on_gpu(source):
            return
        built = list(layers(source))
        made = Counter(layer.sizes[1] for layer in built)
        taken = Counter(layer.sizes[0] for layer in built if layer.kind != "Embedding")
        reported: set[int] = set()
        for layer in built:
            size = _misaligned(layer, made, taken)
            if size is None or size in reported:
                continue
            reported.add(size)
            is_large = size >= LARGE
            yield self.finding(
                source,
                source.span(layer.node),
                f"{layer.kind} has a size of {size}, no multiple of {STEP}: half kernels run below their speed",
                proven=is_large,
                symbol=source.segment(layer.node.func),
                repair=_repair(layer, size, hidden=bool(made[size] and taken[size]), source=source),
            )


def _misaligned(layer: Layer, made: Counter[int | None], taken: Counter[int | None]) -> int | None:
    """The size that could be another one: a vocabulary, a hidden size, or both ends of a layer of its own."""
    into, out = layer.sizes
    if any(k.arg == "groups" for k in layer.node.keywords):
        return None
    if out is not None and _is_off(out) and layer.kind != "Embedding" and (out >= LARGE or taken[out]):
        return out
    if out is not None and _is_off(out) and layer.kind == "Embedding":
        return out
    if into is not None and _is_off(into) and out is not None and _is_off(out) and layer.kind != "Embedding":
        return out if not made[into] else into
    return None


def _is_off(size: int) -> bool:
    return size >= SMALL and size % STEP != 0


def _repair(layer: Layer, size: int, *, hidden: bool, source: Source) -> Repair | str:
    if not hidden and size < LARGE:
        return f"{size} may be the width of the data or a number of classes; pad it where it is your choice"
    step = 64 if size >= LARGE else STEP
    padded = -(-size // step) * step
    at = layer.result if layer.sizes[1] == size else layer.source
    assert isinstance(at, ast.expr)
    return Repair(
        "pad_size",
        Applicability.UNSAFE,
        f"Round {size} up to {padded}",
        source.span(at),
        {"old": str(size), "new": str(padded)},
    )
