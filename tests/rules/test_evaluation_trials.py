"""AMP304 leaves made-up data and games alone, and tells samples that are drawn of a start token."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

SCRIPT = """\
import torch
import torch.nn.functional as F

def make_batch(data, length, device):
    {made}

@torch.no_grad()
def validation_loss(model, data, device):
    model.eval()
    total = 0.0
    for _ in range(8):
        {fetched}
        total += F.cross_entropy(model(x), y).item()
    return total / 8

def train(model, loader, optimizer, device):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    validation_loss(model, loader, device)
"""
FETCHED = "x, y = make_batch(data, 16, device)"
PLAYED = """\
import torch
import torch.nn.functional as F

@torch.no_grad()
def evaluate_games(model, loader, games):
    model.eval()
    won = 0
    {loop}:
        values = model(planes)
        {moved}
        won += int(values.sum() > 0)
    return won

def train(model, optimizer, loader, scaler):
    for planes, value in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = F.mse_loss(model(planes), value)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""
DRAWN = """\
import torch

model = Net().cuda()
optimizer = torch.optim.AdamW(model.parameters())
for x in batches():
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = torch.nn.functional.cross_entropy(model(x[:, :-1]).mT, x[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

model.eval()
start = torch.zeros((1, 1), dtype=torch.long, device="cuda")
with torch.no_grad():
    {drawn}
"""


def found(text: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize(
    "made",
    [
        "return torch.randint(0, 9, (2, length)).to(device), torch.randint(0, 9, (2,)).to(device)",
        "x = torch.randn(2, length)\n    y = torch.zeros(2).long()\n    return x.to(device), y.to(device)",
    ],
)
def test_what_a_helper_makes_up_is_no_data(made: str) -> None:
    assert not found(SCRIPT.format(made=made, fetched=FETCHED))


@pytest.mark.parametrize(
    ("made", "fetched"),
    [
        ("at = torch.randint(len(data), (4,))\n    return torch.stack([data[i] for i in at]), at", FETCHED),
        ("return data[torch.randint(len(data), (4,))], torch.randint(0, 9, (2,))", FETCHED),
        ("return torch.randint(0, 9, (2, length)), data", "x, y = next_batch(data)"),
    ],
)
def test_a_helper_that_picks_at_random_fetches_data(made: str, fetched: str) -> None:
    assert found(SCRIPT.format(made=made, fetched=fetched)) == ["total += F.cross_entropy(model(x), y).item()"]


@pytest.mark.parametrize(
    ("loop", "moved", "told"),
    [
        ("for planes in games", "games[0].make_move(values.argmax())", False),
        ("for planes, value in loader", "won += value.sum()", True),
        ("for planes, games_won in loader", "games.make_move(values)", True),
    ],
)
def test_games_are_no_evaluations(loop: str, moved: str, told: bool) -> None:
    assert len(found(PLAYED.format(loop=loop, moved=moved))) == told


@pytest.mark.parametrize(
    "drawn",
    [
        "print(model.generate(start, 50)[0].tolist())",
        "for _ in range(4):\n        print(model.generate(x[:1], 50)[0].tolist())",
        "text = decode(model.sample(start, 50))\n    print(text)",
    ],
)
def test_samples_of_a_start_token_are_told(drawn: str) -> None:
    assert len(found(DRAWN.format(drawn=drawn))) == 1


@pytest.mark.parametrize(
    "drawn",
    [
        "print(model(start).shape)",
        "model.generate(start, 50)",
        "print(model.generate(start, 50).shape)",
        "for _ in range(4):\n        model.generate(x[:1], 50)",
        "for _ in range(4):\n        out = model.generate(x[:1], 50)",
    ],
)
def test_warm_ups_and_shapes_are_not(drawn: str) -> None:
    assert not found(DRAWN.format(drawn=drawn))
