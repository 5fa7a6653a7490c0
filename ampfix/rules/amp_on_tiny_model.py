"""AMP504."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import Form, Source
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halfmodels import cast_models, is_module_class
from ampfix.rules._layers import layers
from ampfix.rules._optimizers import trained
from ampfix.rules._shapes import looks_like_a_model, own, path, placed

LAUNCH_SECONDS = 5e-6  # what a CUDA kernel costs to launch, below which a faster kernel saves nothing
FLOAT32_FLOPS = 19.5e12  # A100, without tensor cores (NVIDIA's data sheet)
ROWS = 2048  # the largest batch that the size below is computed for
TINY = int(LAUNCH_SECONDS * FLOAT32_FLOPS / (2 * ROWS))  # weights: 23803, a layer of 154 x 154


class AmpOnTinyModel(Rule):
    """AMP is used on a model that is too small to gain from it.

    ## What it does
    Finds training under autocast in files whose layers are all Linear, all of fixed size and all so small that their
    float32 product takes less time than launching a kernel, for batches of up to 2048 rows.

    ## Why is this bad
    Such a model is bound by launches. Autocast adds one cast per weight and input, the scaler a check of every
    gradient, so that mixed precision takes more time than float32, and its failures come for nothing.

    ## Example
    ```python
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1)).cuda()
    with torch.autocast("cuda"):
        loss = criterion(model(x), y)
    ```

    ## Use instead
    ```python
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1)).cuda()
    loss = criterion(model(x), y)
    ```

    ## Fix safety
    Nothing is changed: measure a step with `enabled=False` and decide. CUDA graphs and larger batches help more.

    ## References
    - https://pytorch.org/tutorials/recipes/recipes/amp_recipe.html
    """

    code, name, severity = "AMP504", "amp-on-tiny-model", Severity.NOTE
    fix = Applicability.DISPLAY
    mentions = (("autocast", "Linear(", "backward"), ("half()", "Linear(", "backward"), ("GradScaler", "Linear("))
    scenarios = ("amp-on-tiny-model",)

    VALID = (
        """\
import torch
from torch import nn

def train(loader, optimizer, scaler):
    model = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 10)).cuda()
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
""",
        """\
import torch
from torch import nn

def train(body, loader, optimizer, scaler):
    head = nn.Linear(64, 10).cuda()
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = nn.functional.cross_entropy(head(body(x)), y)
        scaler.scale(loss).backward()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch import nn

def train(loader):
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (10,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        place = _place(source)
        if "test" in source.path.lower() or place is None:
            return
        built = list(layers(source))
        products = [
            into * out for into, out in (layer.sizes for layer in built) if into is not None and out is not None
        ]
        is_known = len(products) == len(built) > 1 and all(layer.kind == "Linear" for layer in built)
        if not is_known or max(products) > TINY or not _is_all_there_is(source):
            return
        yield self.finding(
            source,
            source.span(place),
            f"the largest layer here has {max(products)} weights: its product takes less time than launching a kernel, "
            "so casting costs more than half saves",
            repair="measure a step with enabled=False beside this one, and keep what is faster",
        )


def _place(source: Source) -> ast.expr | None:
    """Where half begins: the first region for a GPU, or a model's cast; a scaler where neither is."""
    regions = [region.opening for region in source.regions if region.device != "cpu" and region.enabled is not False]
    casts = [model.cast.node for model in cast_models(source)] if source.half_casts else []
    scalers = [built.node for built in source.scalers] if not regions and not casts else []
    return min([*regions, *casts, *scalers], key=lambda node: node.lineno, default=None)


_SIMPLE = frozenset(
    {
        "Linear", "Sequential", "ReLU", "GELU", "SiLU", "Tanh", "Sigmoid", "LeakyReLU", "ELU", "Dropout", "BatchNorm1d",
        "LayerNorm", "Flatten", "Identity", "Softmax", "LogSoftmax", "Module", "MSELoss", "L1Loss", "CrossEntropyLoss",
        "BCEWithLogitsLoss", "SmoothL1Loss", "HuberLoss",
    }
)  # fmt: skip


def _is_all_there_is(source: Source) -> bool:
    """Whether the layers are simple, and what is called in the regions is built of them here."""
    for node in source.nodes((ast.Attribute,)):
        package, _, last = path(node).rpartition(".")
        if package in ("nn", "torch.nn") and last[:1].isupper() and last not in _SIMPLE:
            return False
    models = {path(call.func) for region in source.regions for call in _models(region.node)}
    models |= {model.name for model in cast_models(source)}
    models |= set() if models else {one.name for one in trained(source)}
    return bool(models) and all(_is_built_here(name, source) for name in models)


def _models(region: ast.AST) -> Iterator[ast.Call]:
    for node in own(region):
        if isinstance(node, ast.Call) and looks_like_a_model(path(node.func)):
            yield node


def _is_built_here(name: str, source: Source) -> bool:
    """Whether a name is only ever set to a module of this file."""
    values = [
        placed(node.value)
        for node in source.nodes((ast.Assign,))
        if isinstance(node, ast.Assign) and path(node.targets[0]) == name
    ]
    return bool(values) and all(isinstance(value, ast.Call) and _is_own(value, source) for value in values)


def _is_own(value: ast.Call, source: Source) -> bool:
    return any(
        (b.form is Form.CLASS and is_module_class(b.symbol, b.form, b.node, source))
        or (b.form is Form.SYMBOL and b.symbol in ("torch.nn.Sequential", "torch.nn.Linear"))
        for b in source.resolve(value.func)
    )
