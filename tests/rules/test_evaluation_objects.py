"""AMP304 finds the trained model in the object that trains it, by whatever name it is evaluated."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

TRAINER = """\
import torch

class Trainer:
    def __init__(self, net, optimizer):
        self.net = net.cuda()
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.net(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    for x, y in loader:
        print(model(x, y))
"""
CALLED = """
def main(model, teacher, loader, held_out, optimizer):
    trainer = Trainer(model, optimizer)
    trainer.fit(loader)
    evaluate({model}, held_out)
"""


def found(text: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize("model", ["trainer.net", "model"])
def test_what_an_object_trains_is_known_by_its_names_outside(model: str) -> None:
    assert found(TRAINER + CALLED.format(model=model)) == ["print(model(x, y))"]


@pytest.mark.parametrize("model", ["trainer.teacher", "teacher", "optimizer"])
def test_other_models_are_left_alone(model: str) -> None:
    assert found(TRAINER + CALLED.format(model=model)) == []


def test_an_object_needs_no_name() -> None:
    unseen = TRAINER.replace("self.net", "self.model") + "\ndef main(net, optimizer, loader):\n"
    assert found(unseen + "    Trainer(net, optimizer).fit(loader)\n") == ["print(model(x, y))"]


STEP = """\
import torch

def step(model, x, y, optimizer, scaler, phase):
    with torch.set_grad_enabled(phase == "train"):
        if {test}:
            {region}
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss = model(x, y)
            {plain}
    return loss.item()
"""
COVERED = 'with torch.autocast("cuda"): loss = model(x, y)'


def test_one_turn_of_either_phase_is_an_evaluation_in_the_other() -> None:
    text = STEP.format(test='phase == "train"', region=COVERED, plain="")
    assert found(text) == ["loss = model(x, y)"]


@pytest.mark.parametrize(
    "parts",
    [
        {"test": "use_amp", "region": COVERED, "plain": "loss.backward()"},
        {"test": 'phase == "train"', "region": COVERED, "plain": "loss.backward()"},
        {"test": 'phase == "train"', "region": "loss = model(x, y)", "plain": ""},
    ],
    ids=["a flag of the region", "trains on both branches", "no region"],
)
def test_another_branch_is_no_evaluation(parts: dict[str, str]) -> None:
    assert found(STEP.format(**parts)) == []


TURNS = """\
import torch

def run_epoch(model, loader, optimizer, scaler, train):
    for x, y in loader:
        if {test}:
            with torch.no_grad():
                loss = model(x, y)
            print(loss.item())
            {end}
        with torch.autocast("cuda"):
            loss = model(x, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


@pytest.mark.parametrize(("end", "told"), [("continue", True), ("x = x / loss", False)])
def test_a_turn_that_ends_before_it_trains_evaluates(end: str, told: bool) -> None:
    assert found(TURNS.format(test="not train", end=end)) == ["loss = model(x, y)"] * told


TRIAL = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def look(model, size):
    model.eval()
    {data}
    {run}

def main(model, loader, optimizer, scaler):
    look(model, 8)
    train(model, loader, optimizer, scaler)
"""
RANDOM = "x = torch.randn(4, 3, size, size)"


@pytest.mark.parametrize(
    ("data", "run"),
    [
        (RANDOM, 'print(model(x.to("cuda")).shape)'),
        ("x = torch.randn(1, 3, size, size)", "save(model(x, 2))"),
        (RANDOM, "out = model(x); assert out.shape == (4, 10), out.size()"),
        (RANDOM, "for i in range(size): model(x)"),
        ('x = {"image": torch.randn(4, 3, size, size)}', "out = model(x)"),
        ("x = torch.randint(0, size, (4, 3)); x = x.cuda()", "out = model(x)"),
    ],
    ids=["a shape", "one image", "an assertion", "a clock", "a dictionary", "moved"],
)
def test_trials_on_made_up_data_are_left_alone(data: str, run: str) -> None:
    assert found(TRIAL.format(data=data, run=run)) == []


@pytest.mark.parametrize(
    ("data", "run"),
    [
        (RANDOM, "out = model(x); save_image(out)"),
        (RANDOM, "for t in range(size): x = x - model(x, t)"),
        ("x = torch.randn(1, 128)", "for label in size: save_image(model(x, label))"),
    ],
    ids=["an image", "diffusion", "beside a condition"],
)
def test_samples_from_noise_are_evaluations(data: str, run: str) -> None:
    assert found(TRIAL.format(data=data, run=run)) == [run]


SHOWN = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def show(model, other, x):
    {first}
    {shown}
"""


@pytest.mark.parametrize(
    ("first", "shown", "count"),
    [
        ("model.eval()", "print(model.reconstruct(x))", 1),
        ("model.eval()", "print(model(x))", 1),
        ("model.train()", "print(model.reconstruct(x))", 0),
        ("other.eval()", "print(model.reconstruct(x))", 0),
        ("model.eval()", "return torch.autograd.grad(model(x).sum(), x)", 0),
        ("model.eval()", "model.reconstruct(x)", 0),
        ("model.eval()", "with torch.autocast('cuda'): print(model.reconstruct(x))", 0),
    ],
    ids=["method", "call", "training", "another", "gradients", "dropped", "region"],
)
def test_a_function_that_switches_the_model_evaluates_it_without_a_loop(first: str, shown: str, count: int) -> None:
    findings = check_source(SHOWN.format(first=first, shown=shown), "loop.py", Settings(select=("AMP304",)))
    assert len(findings) == count


PROCESS = """\
import torch

@torch.no_grad()
def preview(diffusion, other, shape):
    return {sampled}

def main(diffusion, net, other, loader, optimizer, scaler):
    for x in loader:
        with torch.autocast("cuda"):
            loss = {loss}
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    preview({handed}, other, x.shape)
"""


@pytest.mark.parametrize(
    ("sampled", "loss", "handed", "count"),
    [
        ("diffusion.ddim_sample(shape)", "diffusion.p_losses(x)", "diffusion", 1),
        ("diffusion.p_sample_loop(shape)", "diffusion.training_losses(x)", "diffusion", 1),
        ("diffusion.ddim_sample(shape)", "diffusion.p_losses(x)", "other", 0),
        ("diffusion.q_sample(shape)", "diffusion.p_losses(x)", "diffusion", 0),
        ("diffusion.ddim_sample(shape)", "net(x)", "diffusion", 0),
        ("diffusion.sample(16)", "diffusion.compute_loss(x)", "diffusion", 1),
        ("diffusion.p_sample_loop(other, shape)", "diffusion.training_losses(net, x)", "diffusion", 0),
    ],
    ids=["sample", "loop", "another", "noise", "another model trained", "plain names", "handed a model"],
)
def test_a_diffusion_process_holds_the_model_that_it_samples_from(
    sampled: str, loss: str, handed: str, count: int
) -> None:
    text = PROCESS.format(sampled=sampled, loss=loss, handed=handed)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count
