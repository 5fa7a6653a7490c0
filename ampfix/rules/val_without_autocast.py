"""AMP304."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import Source
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._differing_evaluations import differing_evaluations
from ampfix.rules._rehearsed import shown_by_rehearsals
from ampfix.rules._trained_elsewhere import TRAINED_ELSEWHERE

_MANAGED = r"near:context(:\A\s*with\b[^\n]*\.\w*context\("  # a method of an object hands back the region
_REASON = "open the region that training uses"
_BACKWARD = r"near:backward:backward\w*\s*[(),]"  # called, or handed on: neither a word of a text nor a keyword


class ValWithoutAutocast(Rule):
    """The model is evaluated in another precision than it is trained in.

    ## What it does
    Finds loops, and functions without gradients, that call a model outside autocast, or in a region that is switched
    off, which the same file trains under autocast: by itself, through a helper that runs it, or through an object that
    holds it. Also where either is done by a function or an object of another file that the model is handed to, and
    where one function does both and its region is off when it evaluates, by None or False for what switches it on or by
    the phase of the loop. Where the programs of a small project can be followed from their start, also what they show
    of models in objects of objects. Evaluation functions that are called under autocast, models whose own forward opens
    a region, models that such a program trains in float32 as well, code that acts in an environment, measures or makes
    what is trained on, and made-up data are left alone.

    ## Why is this bad
    Evaluation in float32 takes more time and memory than it has to, on some models more than training, and it measures
    another function than the one that is trained and will be deployed: an overflow in half shows in training alone.

    ## Example
    ```python
    with torch.no_grad():
        for x, y in loader:
            loss = criterion(model(x), y)
    ```

    ## Use instead
    ```python
    with torch.no_grad():
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = criterion(model(x), y)
    ```

    ## Fix safety
    Unsafe: the measured metrics change a little, and code behind the forward receives half tensors.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html
    """

    code, name, severity = "AMP304", "val-without-autocast", Severity.NOTE
    fix = Applicability.UNSAFE
    scenarios = ("validation-without-autocast",)
    mentions = (
        *(("autocast", "backward", word) for word in ("no_grad", "inference_mode", ".eval()", "import")),
        *(("caler.scale(", word) for word in ("no_grad", "inference_mode")),
        *(("GradScaler", word) for word in ("eval", "valid", "val_")),
        *(("autocast", "scaler(", word) for word in ("no_grad", "import")),
        *TRAINED_ELSEWHERE,
        *((_MANAGED, _BACKWARD, word) for word in ("no_grad", ".eval()")),
    )

    VALID = (
        """\
import torch
from transformers import AutoModel

def train(loader, validation, optimizer):
    model = AutoModel.from_pretrained("small", torch_dtype=torch.bfloat16)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        for x, y in validation:
            print(model(x, y))
""",
        """\
import torch

def train(model, teacher, loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()

def measure(model, loader):
    for x, y in loader:
        yield model(x, y)

@torch.no_grad()
def validate(model, teacher, loader):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            yield model(x, y) - teacher(x, y)

def run(model, loader, optimizer):
    train(model, None, loader, optimizer)
    with torch.autocast("cuda", dtype=torch.bfloat16), torch.no_grad():
        measure(model, loader)
""",
        """\
import torch

class Net(torch.nn.Module):
    @torch.autocast("cuda")
    def forward(self, x):
        return self.layer(x)

def train(net, loader, scaler, optimizer):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = net(x)
        scaler.scale(loss).backward()
    with torch.no_grad():
        for x, y in loader:
            print(net(x))
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, criterion, loader, scaler, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, criterion, loader):
    model.eval()
    total = 0.0
    for x, y in loader:
        out = model(x)  # logits
        loss = criterion(out, y)
        total += loss.item()
    return total / len(loader)
""",
            """\
import torch

def train(model, criterion, loader, scaler, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, criterion, loader):
    model.eval()
    total = 0.0
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            out = model(x)  # logits
            loss = criterion(out, y)
        total += loss.item()
    return total / len(loader)
""",
            (18,),
        ),
        Invalid(
            """\
import torch

def fit(model, loader, scaler, optimizer, use_amp):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def evaluate(model, loader, use_amp):
    with torch.no_grad():
        for _ in range(5):
            model(loader[0])
        for x, y in loader:
            if use_amp:
                with torch.autocast("cuda"):
                    out = model(x, y)
            else:
                out = model(x, y)

def score(model, loader):
    total = 0.0
    with torch.inference_mode():
        for x, y in loader:
            total += model(x, y).item()
    return total
""",
            None,
            (27,),
        ),
        Invalid(
            """\
import torch

def run(model, loader, scaler, optimizer):
    for phase in ("train", "val"):
        for x, y in loader:
            with torch.set_grad_enabled(phase == "train"):
                if phase == "train":
                    with torch.autocast("cuda"):
                        loss = model(x, y)
                    scaler.scale(loss).backward()
                    scaler.step(optimizer)
                    scaler.update()
                else:
                    print(model(x, y))
""",
            None,
            (14,),
        ),
        Invalid(
            """\
import torch

def step(net, batch, scaler, optimizer):
    with torch.autocast("cuda"):
        loss = net(batch)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()

def main(loader, optimizer, scaler):
    model = torch.nn.Linear(8, 8)
    for i in range(100):
        if i % 10 == 0:
            with torch.no_grad():
                for _ in range(20):
                    x = loader.next_batch()
                    print(model(x))
        step(model, loader.next_batch(), scaler, optimizer)
""",
            None,
            (17,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        found = list(differing_evaluations(source))
        for one in found:
            yield self.finding(
                source, source.span(one.call), one.message, symbol=one.model, trace=one.trace, repair=one.repair
            )
        for shown in shown_by_rehearsals(source, found):
            yield self.finding(source, source.span(shown.call), shown.message, symbol=shown.name, repair=_REASON)
