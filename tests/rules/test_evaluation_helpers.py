"""AMP304 finds evaluations that helpers, losses, methods of the model and rebuilt models run, each told once."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

SCRIPT = """\
import torch
{helper}
def main(loader, held_out, build_slots, FLIPS):
    model = Net().cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    criterion = loss_fn = torch.nn.CrossEntropyLoss()
    for epoch in range(10):
        model.train()
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = {forward}
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        model.eval()
        with torch.no_grad():
            for x, y in held_out:
                {evaluated}
"""
FLIPPED = """
def flipped(model, x):
    return (model(x) + model(x.flip(3)).flip(3)) / 2
"""
WINDOWS = """
def windows(net, x):
    return sliding_window_inference(x, roi_size=(96, 96), sw_batch_size=2, predictor=net)

def flipped(model, x):
    parts = [windows(model, x.flip(axis)) for axis in (2, 3)]
    return torch.stack(parts).mean(0)
"""
DECODER = """
def flipped(model, x):
    memory = model.encode(x)
    for _ in range(50):
        x = model.decode(memory, x)
    return x
"""
CHUNKS = """
def chunks(run, x):
    return torch.cat([run(part) for part in x.split(64)])
"""
COVERED = """
def flipped(model, x):
    with torch.autocast("cuda"):
        return model(x)
"""
QUIET = """
@torch.no_grad()
def flipped(model, x):
    return model(x)
"""


def found(text: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


def script(evaluated: str, forward: str = "criterion(model(x), y)", helper: str = "") -> str:
    return SCRIPT.format(helper=helper, forward=forward, evaluated=evaluated)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (script("out = flipped(model, x)", helper=FLIPPED), "out = flipped(model, x)"),
        (script("out = flipped(model, x)", helper=WINDOWS), "out = flipped(model, x)"),
        (script("out = flipped(model, x)", helper=DECODER), "out = flipped(model, x)"),
        (script("out = flipped(model, x)", helper="flipped = lambda model, x: model(x)"), "out = flipped(model, x)"),
        (script("out = flipped(model, x)", helper=QUIET), "return model(x)"),
        (script("total = loss_fn(model, x).item()", "loss_fn(model, x)"), "total = loss_fn(model, x).item()"),
        (script("out = model.p_losses(x, y)", "model.p_losses(x, y)"), "out = model.p_losses(x, y)"),
        (script("out = model.backbone(x)"), "out = model.backbone(x)"),
        (script("out = chunks(model, x)", helper=CHUNKS), "out = chunks(model, x)"),
        (
            script("print(loss_fn(model, x))", "criterion(model, x)").replace("loss_fn", "criterion"),
            "print(criterion(model, x))",
        ),
        (script("print(model(x))", "criterion(model, x)"), "print(model(x))"),
        (script("out = model.reconstruct_all(x, 3)"), "out = model.reconstruct_all(x, 3)"),
        (script("out = model.module.feature_extractor(x)"), "out = model.module.feature_extractor(x)"),
        (script("print(model.ddim_sample(x))"), "print(model.ddim_sample(x))"),
    ],
    ids=[
        "helper",
        "two helpers",
        "decoder",
        "lambda",
        "in the helper",
        "loss",
        "method",
        "part",
        "handed to be called",
        "criterion",
        "trained by a criterion",
        "reconstruction",
        "features",
        "sampler",
    ],
)
def test_what_runs_the_model_is_followed(text: str, line: str) -> None:
    assert found(text) == [line]


@pytest.mark.parametrize(
    "text",
    [
        script("out = flipped(model, x)", helper=COVERED),
        script("out = flipped(other, x)", helper=FLIPPED),
        script("model.set_epoch(x)", "model.set_epoch(x) or model(x)"),
        script("out = chunks(criterion, x)", "chunks(criterion, model(x))", helper=CHUNKS),
        script("out = model.normalize(x)", "criterion(model(model.normalize(x)), y)"),
        script("print(criterion(x, y))", "criterion(model, x)"),
        script("out = teacher.reconstruct_all(x, 3)"),
        script("out = model.q_sample(x)"),
        script("print(model.feature_extractor.training)"),
    ],
    ids=[
        "covered",
        "another model",
        "bookkeeping",
        "no model",
        "no prediction",
        "no model for the criterion",
        "another reconstruction",
        "noise",
        "no features",
    ],
)
def test_helpers_that_run_something_else_are_left_alone(text: str) -> None:
    assert found(text) == []


REBUILT = """\
import torch

def train(loader, scaler, optimizer):
    model = {first}().cuda()
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def test(loader, path):
    model = Net().cuda()
    {loaded}
    with torch.no_grad():
        for x, y in loader:
            print(model(x, y))
"""


def test_a_model_built_again_for_the_trained_weights_is_the_same() -> None:
    loaded = "model.load_state_dict(torch.load(path))"
    assert found(REBUILT.format(first="Net", loaded=loaded)) == ["print(model(x, y))"]
    assert found(REBUILT.format(first="Other", loaded=loaded)) == []
    assert found(REBUILT.format(first="Net", loaded="model.train()")) == []


HELD = """\
import torch

class Diffusion(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return (self.model(x) - x).square().mean()

    @torch.no_grad()
    def sample(self, x):
        for t in range(100):
            x = x - self.model(x, t)
        return x

def main(net, loader, scaler):
    diffusion = Diffusion(net)
    optimizer = torch.optim.Adam(diffusion.parameters())
    for x in loader:
        with torch.autocast("cuda"):
            loss = diffusion(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


def test_the_model_inside_a_trained_object_is_trained() -> None:
    assert found(HELD) == ["x = x - self.model(x, t)"]


LATENTS = """\
import torch

def train(vae, model, loader, scaler, optimizer):
    for x in loader:
        with torch.no_grad():
            latents = [vae.encode(part) for part in x]
            for part in x:
                latents.append(vae.encode(part))
        with torch.autocast("cuda"):
            loss = model(latents)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def fit(vae, loader, scaler, optimizer):
    for x in loader:
        with torch.autocast("cuda"):
            loss = vae(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def main(vae, model, loader, scaler, optimizer):
    fit(vae, loader, scaler, optimizer)
    train(vae, model, loader, scaler, optimizer)
"""


def test_what_a_turn_of_training_prepares_is_no_evaluation() -> None:
    assert found(LATENTS) == []


BACKWARD_ELSEWHERE = """\
import torch
from functools import partial
from steps import step_loss_backward

def train(model, loader, optimizer, loss_scaler):
    for x in loader:
        with torch.cuda.amp.autocast():
            loss = model(x)
        {backward}

@torch.no_grad()
def validate(model, loader):
    return [model(x) for x in loader]

def main(model, loader, optimizer, loss_scaler):
    train(model, loader, optimizer, loss_scaler)
    validate(model, loader)
"""


@pytest.mark.parametrize(
    ("backward", "trains"),
    [
        ("loss_scaler(loss, optimizer, parameters=model.parameters())", True),
        ("step_loss_backward(optimizer, loss=loss)", True),
        ("step = partial(step_loss_backward, optimizer, loss=loss)", True),
        ("optimizer.log(loss)", False),
        ("step_loss_backward(optimizer)", False),
    ],
)
def test_a_loss_that_is_handed_to_its_backward_trains(backward: str, trains: bool) -> None:
    told = ["return [model(x) for x in loader]"] * trains
    assert found(BACKWARD_ELSEWHERE.format(backward=backward)) == told


CALLED = """\
import torch

@torch.no_grad()
def validate(model, loader):
    model.eval()
    for x, y in loader:
        print(model(x))

def train(model, teacher, loader, optimizer, scaler):
    net = {trained}
    net.train()
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = net(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


@pytest.mark.parametrize(
    ("trained", "expected"),
    [("model", ["print(model(x))"]), ("teacher", []), ("build()", [])],
)
def test_a_trainer_may_call_its_parameter_by_another_name(trained: str, expected: list[str]) -> None:
    assert found(CALLED.format(trained=trained).replace("net", "unet")) == expected
