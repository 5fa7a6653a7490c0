"""Half tensors followed through what callers hand in, lists of modules and flags that keep their default."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

LOSS = """\
import torch
from torch import nn

class Loss(nn.Module):
    def forward(self, logits, y):
        return -(y * torch.sigmoid(logits).log()).mean()  # here

class Other(nn.Module):
    def forward(self, logits, y):
        return (logits - y).abs().mean()

net = nn.Linear(8, 8).cuda()

"""


def found(text: str, *codes: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=codes))
    return sorted({lines[one.span.start.line - 1].strip() for one in findings})


def marked(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.endswith("# here")]


STEP = """\
def step(x, y, criterion):
    with torch.autocast("cuda"):
        return criterion(net(x), y)

"""
HANDED = {
    "by one caller": "def main(x, y):\n    criterion = Loss()\n    step(x, y, criterion)\n",
    "by keyword": "def main(x, y):\n    step(x, y, criterion=Loss())\n",
    "by two callers that agree": "def main(x, y):\n    step(x, y, Loss())\n    step(y, x, Loss())\n",
    "through another function": (
        "def several(xs, y, criterion):\n    return [step(x, y, criterion) for x in xs]\n\n"
        "def main(xs, y):\n    several(xs, y, Loss())\n"
    ),
}


@pytest.mark.parametrize("caller", HANDED.values(), ids=HANDED.keys())
def test_a_loss_is_followed_where_callers_hand_it_in(caller: str) -> None:
    text = LOSS + STEP + caller
    assert found(text, "AMP402") == marked(text)


OPEN = {
    "by two callers that differ": "def main(x, y):\n    step(x, y, Loss())\n    step(x, y, Other())\n",
    "by a caller that is handed it in turn": "def main(x, y, criterion):\n    step(x, y, criterion)\n",
    "unpacked": "def main(x, y):\n    step(*[x, y, Loss()])\n",
    "to a function of the same name elsewhere": "def main(x, y, other):\n    other.step(x, y, Loss())\n",
    "or something unknown": "def main(x, y, make):\n    step(x, y, Loss())\n    step(x, y, make())\n",
}


@pytest.mark.parametrize("caller", OPEN.values(), ids=OPEN.keys())
def test_what_callers_do_not_agree_on_is_left_open(caller: str) -> None:
    assert not found(LOSS + STEP + caller, "AMP402")


def test_a_trainer_is_handed_its_loss_by_who_builds_it() -> None:
    text = (
        LOSS
        + """\
class Trainer:
    def __init__(self, criterion, dtype=None):
        self.criterion = criterion

    def step(self, x, y):
        with torch.autocast("cuda"):
            return self.criterion(net(x), y)

def main(x, y):
    Trainer(Loss()).step(x, y)
"""
    )
    assert found(text, "AMP402") == marked(text)


@pytest.mark.parametrize(
    ("entered", "handed"), [("region", 'torch.autocast("cuda")'), ("region()", "torch.cuda.amp.autocast")]
)
def test_a_region_is_followed_where_callers_hand_it_in(entered: str, handed: str) -> None:
    text = (
        LOSS
        + f"""\
def step(x, y, region):
    criterion = Loss()
    with {entered}:
        return criterion(net(x), y)

def main(x, y):
    step(x, y, {handed})
    with torch.autocast("cuda"):
        net(x)
"""
    )
    assert found(text, "AMP402") == marked(text)


LAYERS = """\
import math
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(8)
        return torch.softmax(scores, dim=-1) @ v  # here

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList({held})

    def forward(self, x):
        for {each}:
            x = layer(x)
        return x

def step(x):
    net = Net()
    with torch.autocast("cuda"):
        return net(x)
"""


@pytest.mark.parametrize("held", ["[Attention() for _ in range(4)]", "[Attention(), Attention()]"])
@pytest.mark.parametrize("each", ["layer in self.layers", "i, layer in enumerate(self.layers)"])
def test_a_loop_takes_its_layers_from_a_list_of_modules(held: str, each: str) -> None:
    text = LAYERS.format(held=held, each=each)
    assert found(text, "AMP412") == marked(text)


LOOPS = {
    "appended to an empty list": (
        "nn.ModuleList()\n        for _ in range(4):\n            self.layers.append(Attention())",
        "for layer in self.layers:\n            x = layer(x)",
    ),
    "appended under a name": (
        "nn.ModuleList([])\n        for _ in range(4):\n            layer = Attention()\n"
        "            self.layers.append(layer)",
        "for layer in self.layers:\n            x = layer(x)",
    ),
    "in a comprehension": (
        "nn.ModuleList([Attention() for _ in range(4)])",
        "x = torch.cat([layer(x) for layer in self.layers], -1)",
    ),
    "in pairs": (
        "nn.ModuleList([nn.ModuleList([nn.LayerNorm(8), Attention()]) for _ in range(4)])",
        "for norm, attend in self.layers:\n            x = x + attend(norm(x))",
    ),
    "by name": (
        "nn.ModuleDict({'a': Attention()})",
        "for name, layer in self.layers.items():\n            x = layer(x)",
    ),
}


@pytest.mark.parametrize(("held", "loop"), LOOPS.values(), ids=LOOPS.keys())
def test_a_loop_takes_modules_from_what_holds_them(held: str, loop: str) -> None:
    text = LAYERS.replace("nn.ModuleList({held})", held).replace("for {each}:\n            x = layer(x)", loop)
    assert found(text, "AMP412") == marked(text)
    assert not found(text.replace("Attention()", "nn.Linear(8, 8)").replace("nn.Linear(8, 8)(nn", "nn"), "AMP412")


EINSUM = """\
import torch
from einops import rearrange
from torch import einsum, nn

class Attention(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, dim * 3)

    def forward(self, x):
        qkv = self.qkv(x).chunk(3, dim=-1)
        q, k, v = map(lambda t: rearrange(t, "b n (h d) -> b h n d", h=self.heads), qkv)
        {scores}
        weights = scores.softmax(dim=-1)
        {out}
        return rearrange(out, "b h n d -> b n (h d)")

attention = Attention(64).cuda()

def step(x):
    with torch.autocast("cuda", dtype={dtype}):
        return attention(x)
"""
SCORES = 'scores = einsum("b h i d, b h j d -> b h i j", q, k) * self.scale'
OUT = 'out = einsum("b h i j, b h j d -> b h i d", weights, v)'


@pytest.mark.parametrize(
    ("scores", "out", "dtype", "fires"),
    [
        (SCORES, OUT, "torch.float16", True),
        (SCORES, "out = weights @ v", "torch.float16", True),
        (SCORES, 'out = einsum("b h j d, b h i j -> b h i d", v, weights)', "torch.float16", True),
        ("scores = q @ k.transpose(-2, -1) * self.scale", OUT, "torch.float16", True),
        (SCORES, "out = torch.matmul(v, weights.permute(0, 1, 3, 2))", "torch.float16", True),
        (SCORES, "out = torch.matmul(v, weights.permute(0, 1, 3, 2))", "torch.bfloat16", False),
        (SCORES, "out = torch.matmul(v, k.permute(0, 1, 3, 2))", "torch.float16", False),
        (SCORES, OUT, "torch.bfloat16", False),
        (f"q = q * self.scale\n        {SCORES.removesuffix(' * self.scale')}", OUT, "torch.float16", False),
        (SCORES.replace("q, k)", "q.float(), k.float())").replace("einsum", "manual"), OUT, "torch.float16", False),
    ],
)
def test_attention_is_known_in_any_notation(scores: str, out: str, dtype: str, fires: bool) -> None:
    text = EINSUM.format(scores=scores, out=out, dtype=dtype)
    assert bool(found(text, "AMP412")) is fires


FLAG = """\
import torch
from torch import nn

net = nn.Linear(8, 8).cuda()

def scores(x, full=False, mask=None):
    {change}
    if {test}:
        return torch.sigmoid(net(x)).log()
    return net(x)

def step(x):
    with torch.autocast("cuda"):
        return scores(x{handed})
"""


@pytest.mark.parametrize(
    ("test", "handed", "change", "reaches"),
    [
        ("full", "", "pass", False),
        ("not full", "", "pass", True),
        ("full", ", full=True", "pass", True),
        ("full", ", full=x.ndim > 2", "pass", True),
        ("mask is not None", "", "pass", False),
        ("mask is None", "", "pass", True),
        ("mask is not None", "", "mask = mask or x.mean()", True),
    ],
)
def test_a_flag_that_keeps_its_default_closes_a_branch(test: str, handed: str, change: str, reaches: bool) -> None:
    assert bool(found(FLAG.format(test=test, handed=handed, change=change), "AMP402")) is reaches


STATISTICS = """\
import torch

conv, norm = torch.nn.Conv2d(3, 8, 3).cuda(), torch.nn.BatchNorm2d(8).cuda()

def run(loader):
    norm.{mode}()
    for x in loader:
        with torch.autocast("cuda"):
            out = norm(conv(x) * 1e5)
        out.mean(){behind}
"""


@pytest.mark.parametrize(
    ("mode", "behind", "changes"),
    [("eval", ".item()", False), ("eval", ".backward()", True), ("train", ".item()", True), ("cuda", ".item()", True)],
)
def test_statistics_change_where_models_train(mode: str, behind: str, changes: bool) -> None:
    assert bool(found(STATISTICS.format(mode=mode, behind=behind), "AMP409")) is changes


ONE_STEP = """\
import torch

def step(model, x, optimizer):
    {built}
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = model(x)
    loss.backward()
    optimizer.step()

def run(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for x in loader:
        step(model, x, optimizer)
"""
BUILT = "optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])"
LOOP = """\
import torch

def run(model, loader):
    {built}
    for x in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x)
        loss.backward()
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("text", "built", "trains"),
    [(ONE_STEP, BUILT, False), (ONE_STEP, "optimizer.zero_grad()", True), (LOOP, BUILT, True)],
)
def test_a_step_with_an_optimizer_of_its_own_is_measured(text: str, built: str, trains: bool) -> None:
    assert bool(found(text.format(built=built), "AMP411")) is trains


CAST = """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def step(x):
    with torch.autocast("cuda"):
        out = layer(x)
    out = out.to({to})
    return (out * out).mean()
"""


@pytest.mark.parametrize(
    ("to", "is_half"),
    [("x.device", True), ("torch.half", True), ("torch.float64", False), ("torch.double", False), ("torch.int", False)],
)
def test_a_wider_dtype_or_one_of_integers_ends_half(to: str, is_half: bool) -> None:
    assert bool(found(CAST.format(to=to), "AMP406")) is is_half
