"""AMP301."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import HalfCast, Source
from ampfix.records import replace
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halfmodels import (
    CastModel,
    cast_models,
    chosen_models,
    data_casts,
    loaded_models,
    looped_over,
    models_loaded_by_choice,
)
from ampfix.rules._lifted import returned_models
from ampfix.rules._masters import MASTER
from ampfix.rules._optimizers import Trained, trained
from ampfix.rules._shapes import calls, function_of, method
from ampfix.rules._spellings import HALF_LISTED, HALF_MADE
from ampfix.rules._trained_halves import trained_as_half


class HalfModel(Rule):
    """The weights that an optimizer trains are half.

    ## What it does
    Finds a model that is cast to float16 or bfloat16 as a whole (`half()`, `bfloat16()`, `to(dtype)`,
    `from_pretrained(torch_dtype=...)`) and whose parameters one of torch's own optimizers then updates, also where
    one function of the file casts the model, builds the optimizer or trains for another. Copies, models that become
    float32 again, frozen models, casts behind the training and optimizers that keep master weights of their own are
    left alone.

    ## Why is this bad
    An update smaller than half a unit in the last place of its weight is rounded away: 1/2048 of the weight in float16,
    1/256 in bfloat16. Adam's `eps` of 1e-8 is zero in float16, so the division gives inf or nan. A GradScaler refuses
    float16 gradients with an exception. Autocast keeps the weights in float32 and runs the matrix products in half.

    ## Example
    ```python
    model = Net().cuda().half()
    for x, y in loader:
        loss = criterion(model(x.half()), y)
        loss.backward()
        optimizer.step()
    ```

    ## Use instead
    ```python
    model = Net().cuda()
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    ```

    ## Fix safety
    Unsafe: weights and optimizer state take twice the memory, and a float16 loop skips steps on overflow.

    ## References
    - https://pytorch.org/docs/stable/amp.html
    - https://arxiv.org/abs/1710.03740
    """

    code, name, severity = "AMP301", "half-model", Severity.ERROR
    fix = Applicability.UNSAFE
    scenarios = ("half-model", "half-weights-with-a-scaler")
    mentions = tuple(("optim", ".backward(", half) for half in (*HALF_MADE, HALF_LISTED))

    VALID = (
        """\
import copy
import torch

def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
    torch.save(copy.deepcopy(model).half().state_dict(), "small.pt")
    model.half()
    model.save("export.pt")
""",
        """\
import torch

def train(model, teacher, loader):
    teacher.half().requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters())
    model.half().float()
    for x, y in loader:
        model(x, teacher(x.half()), y).backward()
        optimizer.step()
""",
        """\
import mylib
import torch
from mylib.optim import FP16Optimizer

def train(model, loader):
    model.half()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer = FP16Optimizer(optimizer)
    for x, y in loader:
        optimizer.backward(model(x.half(), y))
        optimizer.step()

def train_with_engine(model, loader):
    model.bfloat16()
    client = torch.optim.AdamW(model.parameters())
    engine, *_ = mylib.initialize(model=model, optimizer=client)
    for x, y in loader:
        engine.backward(engine(x, y))
        engine.step()
""",
        """\
import torch
from peft import get_peft_model
from torch import nn
from transformers import AutoModel

def adapt(name, loader):
    model = AutoModel.from_pretrained(name, torch_dtype=torch.bfloat16)
    model = get_peft_model(model, config)
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()

def finetune(base, loader):
    base.to(torch.bfloat16)
    for parameter in base.parameters():
        parameter.requires_grad = False
    head = nn.Linear(8, 2).cuda()
    optimizer = torch.optim.AdamW([*base.parameters(), *head.parameters()])
    for x, y in loader:
        head(base(x).float(), y).backward()
        optimizer.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch import nn

def train(loader):
    model = nn.Linear(8, 2).cuda().half()  # to save memory
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        x = x.half()
        optimizer.zero_grad()
        out = model(x)
        loss = nn.functional.mse_loss(out.float(), y)
        loss.backward()
        optimizer.step()
""",
            """\
import torch
from torch import nn

def train(loader):
    model = nn.Linear(8, 2).cuda()  # to save memory
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            out = model(x)
            loss = nn.functional.mse_loss(out.float(), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (5,),
        ),
        Invalid(
            """\
import torch

class Trainer:
    def __init__(self, model):
        self.model = model
        self.model.to("cuda", dtype=torch.bfloat16)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4)

    def step(self, x, y):
        self.model(x, y).backward()
        self.optimizer.step()
""",
            None,
            (6,),
        ),
        Invalid(
            """\
import torch

def train(net, loader):
    for weight in net.parameters():
        weight.data = weight.data.half()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    for x, y in loader:
        net(x.half(), y).backward()
        optimizer.step()
""",
            None,
            (5,),
        ),
        Invalid(
            """\
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("small", torch_dtype=torch.float16).to("cuda")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
for batch in loader:
    optimizer.zero_grad()
    model(**batch).loss.backward()
    optimizer.step()
""",
            None,
            (4,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        models = [
            *cast_models(source),
            *loaded_models(source),
            *models_loaded_by_choice(source),
            *chosen_models(source),
            *returned_models(source),
        ]
        optimizers = [one for one in trained(source) if one.symbol.startswith("torch.optim.")] if models else []
        for model in models:
            met = trained_as_half(model, optimizers, source)
            if met is not None:
                yield self._finding(*met, source)

        casts = list(data_casts(source))
        keeps_masters = MASTER.search(source.text) is not None
        if casts and not keeps_masters and any(True for _ in source.calls_to("backward")):
            optimizers = [one for one in trained(source) if one.symbol.startswith("torch.optim.")]
            for cast in casts:
                whole = looped_over(cast, source)
                if whole is None or not optimizers or trained_as_half(whole, optimizers, source):
                    yield self._in_place(cast, source, is_trained=bool(optimizers))

    def _in_place(self, cast: HalfCast, source: Source, *, is_trained: bool) -> Finding:
        """`weight.data = weight.data.half()`: the parameter that an optimizer holds becomes half."""
        finding = self.finding(
            source,
            source.span(cast.node),
            f"parameters become {cast.dtype} here and are trained: {_WHY[cast.dtype]}",
            proven=is_trained,
            symbol=source.segment(cast.operand),
            repair="keep the parameters in float32 and run the forward under autocast",
        )
        return replace(finding, severity=Severity.WARNING) if is_trained else finding

    def _finding(self, model: CastModel, optimizer: Trained, source: Source) -> Finding:
        dtype, proven = model.cast.dtype, model.certain and bool(optimizer.symbol)
        finding = self.finding(
            source,
            source.span(model.cast.node),
            f"{model.name} holds {dtype} weights and {optimizer.target or 'an optimizer'} updates them: {_WHY[dtype]}",
            proven=proven,
            symbol=model.name,
            repair=_repair(model, optimizer, source),
        )
        is_sure = finding.severity is Severity.ERROR and dtype == "float16"
        return finding if is_sure or not proven else replace(finding, severity=Severity.WARNING)


_WHY = {
    "float16": "updates below 1/2048 of a weight are rounded away, and Adam's eps of 1e-8 is zero in float16",
    "bfloat16": "updates below 1/256 of a weight are rounded away",
}


def _repair(model: CastModel, optimizer: Trained, source: Source) -> Repair | str:
    if method(model.cast.node)[1] == "from_pretrained":
        return "load the weights in float32, without the dtype, and run the forward under autocast"
    if not model.certain:
        return "a test decides on the cast; put autocast and a scaler under the same test"
    if not optimizer.symbol:
        return "what trains the model is made by a caller; keep it in float32 and run its forward under autocast"
    if not optimizer.target:
        return "the optimizer has no name here; repair the loop by hand"
    if function_of(model.cast.node, source) is not function_of(optimizer.call, source) or not any(
        True for _ in calls(function_of(model.cast.node, source), "backward")
    ):
        return "the model is cast in another function than its backward pass; keep it in float32 and use autocast there"
    return Repair(
        "master_weights",
        Applicability.UNSAFE,
        f"Keep {model.name} in float32 and run its forward under autocast",
        source.span(model.cast.node),
        {"model": model.name, "optimizer": optimizer.target, "dtype": model.cast.dtype},
    )
