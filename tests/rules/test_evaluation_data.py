"""AMP304 tells evaluations from forwards whose result is trained on, and samples from noise from trials."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

TRAINING = """\
import torch

@torch.no_grad()
def predict(model, loader):
    model.eval()
    {predicted}

def train_epoch(model, loader, labels, optimizer, scaler):
    for x, y in zip(loader, labels):
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def prepare(model, loader):
    return {{"labels": predict(model, loader)}}

def main(model, loader, held_out, optimizer, scaler, report):
    for epoch in range(10):
        {used}
"""
EACH = "return [model(x) for x in loader]"
LOSS = "return sum(model(x).sum().item() for x in loader)"


def found(text: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize(
    "used",
    [
        "labels = predict(model, loader); train_epoch(model, loader, labels, optimizer, scaler)",
        "train_epoch(model, loader, predict(model, loader), optimizer, scaler)",
        "batch = prepare(model, loader); train_epoch(model, loader, batch, optimizer, scaler)",
        "loader.dataset.negatives = torch.cat(predict(model, loader)).cpu()",
        "sampler = loader.sampler.set_weights(predict(model, loader))",
    ],
    ids=["a variable", "an argument", "a caller's", "the data", "the order"],
)
def test_what_is_trained_on_is_no_evaluation(used: str) -> None:
    assert found(TRAINING.format(predicted=EACH, used=used)) == []


@pytest.mark.parametrize(
    ("predicted", "used"),
    [
        (EACH, "train_epoch(model, loader, [], optimizer, scaler); report(predict(model, held_out))"),
        (LOSS, "loss = predict(model, held_out); train_epoch(model, loader, loss, optimizer, scaler)"),
        (EACH, "held_out.dataset.val_scores = predict(model, held_out)"),
    ],
    ids=["a report", "a number", "held out"],
)
def test_what_is_looked_at_is_one(predicted: str, used: str) -> None:
    assert found(TRAINING.format(predicted=predicted, used=used)) == [predicted]


PARTS = """\
import torch

@torch.no_grad()
def evaluate(net, loader):
    net.eval()
    return sum((net(x).argmax(1) == y).sum() for x, y in loader)

def main(model, loader, held_out, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    print(evaluate({part}, held_out))
"""


@pytest.mark.parametrize(
    ("part", "count"),
    [("model.student", 1), ("model.encoder", 1), ("model.teacher", 0), ("model.ema_encoder", 0), ("other.encoder", 0)],
)
def test_a_part_is_trained_with_the_whole(part: str, count: int) -> None:
    assert len(found(PARTS.format(part=part))) == count


GENERATOR = """\
import torch

def train(G, D, loader, optimizer, scaler, save):
    for x in loader:
        z = torch.randn(len(x), 64, device="cuda")
        with torch.autocast("cuda"):
            loss = D(G({fed})).mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    G.eval()
    with torch.no_grad():
        {sample}
"""
SAMPLE = 'save(G(torch.randn(16, 64, device="cuda")))'


def test_noise_is_the_real_input_of_a_generator() -> None:
    assert found(GENERATOR.format(fed="z", sample=SAMPLE)) == [SAMPLE]


@pytest.mark.parametrize(
    ("fed", "sample"), [("x", SAMPLE), ("z", 'print(G(torch.randn(16, 64, device="cuda")).shape)')], ids=["x", "shape"]
)
def test_noise_is_made_up_for_others(fed: str, sample: str) -> None:
    assert found(GENERATOR.format(fed=fed, sample=sample)) == []


UNSEEN = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def run({name}, loader):
    {name}.eval()
    for x, y in loader:
        {each}
"""


@pytest.mark.parametrize(("name", "count"), [("net", 1), ("network", 1), ("teacher", 0), ("critic", 0)])
def test_a_general_name_is_the_same_model_where_no_caller_is_seen(name: str, count: int) -> None:
    assert len(found(UNSEEN.format(name=name, each=f"print({name}(x, y))"))) == count


@pytest.mark.parametrize("each", ["model(x, y)", "self.seen += 1; model(x, y)"])
def test_statistics_and_warm_ups_make_nothing_of_a_result(each: str) -> None:
    assert found(UNSEEN.format(name="model", each=each)) == []


def test_a_hook_takes_what_a_statement_drops() -> None:
    each = "handle = model.register_forward_hook(keep); model(x, y)"
    assert len(found(UNSEEN.format(name="model", each=each))) == 1


@pytest.mark.parametrize(
    ("enabled", "data", "count"), [("False", "x.float()", 0), ("False", "x", 1), ("use_amp", "x.float()", 0)]
)
def test_float32_is_a_choice_where_the_data_is_cast_too(enabled: str, data: str, count: int) -> None:
    each = f'with torch.autocast("cuda", enabled={enabled}): print(model({data}, y))'
    assert len(found(UNSEEN.format(name="model", each=each))) == count


FUNCTION = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def {name}(model, {given}):
    model.eval()
    for x in {over}:
        y = model(x)
    return y

def main(model, loader, states):
    {name}(model, {handed})
"""


@pytest.mark.parametrize(
    ("name", "over", "count"),
    [
        ("select_action", "states", 0),
        ("get_action_with_uncertainty", "states", 0),
        ("benchmark", "states", 0),
        ("measure_latency", "states", 0),
        ("preprocess_all", "states", 0),
        ("precompute_latents", "loader", 0),
        ("validate_fp32", "loader", 0),
        ("benchmark", "test_loader", 1),
        ("select_action", "val_loader", 1),
        ("reaction_scores", "states", 1),
        ("processed", "states", 1),
    ],
)
def test_what_acts_measures_or_prepares_by_its_name_is_left_alone(name: str, over: str, count: int) -> None:
    text = FUNCTION.format(name=name, given=over, over=over, handed="states")
    assert len(found(text)) == count


BLANK = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def count(model, x, y):
    model.eval()
    handles = [one.register_forward_hook(add) for one in model.modules()]
    {run}

def main(model, loader):
    x = torch.randn(16, 64, device="cuda")
    {x}
    count(model, x, torch.randn(16))
"""


@pytest.mark.parametrize(
    ("run", "x", "number"),
    [
        ("model(x, y)", "", 0),
        ("again = x.clone(); _ = model(again, y)", "", 0),
        ("print(model(x, y).shape)", "", 0),
        ("model(x, y)", "x = next(iter(loader))", 1),
        ("return model(x, y)", "", 1),
    ],
    ids=["dropped", "cloned", "shape", "data", "read"],
)
def test_made_up_data_may_be_handed_in(run: str, x: str, number: int) -> None:
    assert len(found(BLANK.format(run=run, x=x))) == number


@pytest.mark.parametrize(("part", "count"), [("model.img_aug", 0), ("model.encoder", 1)])
def test_an_augmentation_is_no_part_that_training_runs_in_its_region(part: str, count: int) -> None:
    assert len(found(PARTS.format(part=part))) == count


TOKENS = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def translate(model, start, device):
    model.eval()
    ids, seen = [start], []
    for _ in range(99):
        target = torch.tensor([ids], device=device)
        token = model(target)[0, -1].argmax()
        {kept}
    return ids
"""


@pytest.mark.parametrize(("kept", "count"), [("ids.append(token.item())", 1), ("seen.append(token.item())", 0)])
def test_what_a_turn_appends_is_data_of_the_next(kept: str, count: int) -> None:
    assert len(found(TOKENS.format(kept=kept))) == count
