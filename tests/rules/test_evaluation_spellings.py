"""AMP304 knows an evaluation however it is written, and leaves alone what only looks like one."""

from __future__ import annotations

import textwrap

import pytest

from ampfix.lint import Settings, check_source

HEAD = """\
import copy
import torch
from contextlib import nullcontext

def train_epoch(model, loader, scaler, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

"""
TRAINER = """\
import copy
import torch
from contextlib import nullcontext

class Trainer:
    def __init__(self, model, models, optimizer):
        self.model = model
        self.models = models
        self.ema = ModelEma(model)
        self.scaler = torch.amp.GradScaler("cuda")
        self.optimizer = optimizer

    def train_epoch(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = {forward}
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

"""


def found(text: str) -> list[str]:
    lines = text.splitlines()
    return [
        lines[one.span.start.line - 1].strip() for one in check_source(text, "loop.py", Settings(select=("AMP304",)))
    ]


def function(body: str) -> str:
    return HEAD + textwrap.dedent(body)


def in_class(body: str, forward: str = "self.model(x, y)") -> str:
    return TRAINER.format(forward=forward) + textwrap.indent(textwrap.dedent(body), "    ")


EVALUATIONS = {
    "one batch, in a function that records no gradients": function("""
        @torch.inference_mode()
        def shown(model, x):
            return model(x)  # here

        def main(model, loader, scaler, optimizer):
            train_epoch(model, loader, scaler, optimizer)
            shown(model, next(loader))
        """),
    "a comprehension": function("""
        def measure(model, loader):
            model.eval()
            with torch.no_grad():
                return torch.cat([model(x) for x, y in loader])  # here
        """),
    "switched off by train(False)": function("""
        def measure(model, loader):
            model.train(False)
            for x, y in loader:
                print(model(x, y))  # here
        """),
    "gradients switched off by a flag": function("""
        def measure(model, loader):
            with torch.set_grad_enabled(False):
                for x, y in loader:
                    print(model(x, y))  # here
        """),
    "a region that is switched off": function("""
        @torch.no_grad()
        def measure(model, loader):
            for x, y in loader:
                with torch.autocast("cuda", enabled=False):
                    print(model(x, y))  # here
        """),
    "a region that is off or a null context": function("""
        @torch.no_grad()
        def measure(model, loader):
            try:
                region = torch.autocast("cuda", enabled=False)
            except TypeError:
                region = nullcontext()
            for x, y in loader:
                with region:
                    print(model(x, y))  # here
        """),
    "tokens one after the other": function("""
        @torch.no_grad()
        def write(model, tokens):
            model.eval()
            for _ in range(20):
                token = model(tokens)  # here
                tokens = torch.cat([tokens, token])
        """),
    "noise taken away step by step": function("""
        @torch.no_grad()
        def show(model, noise_scheduler, noisy):
            for t in noise_scheduler.timesteps:
                pred = model(noisy, t)  # here
                noisy = noise_scheduler.step(pred, t, noisy)
        """),
    "an average of the weights": function("""
        def main(model, loader, scaler, optimizer):
            averaged = torch.optim.swa_utils.AveragedModel(model)
            train_epoch(model, loader, scaler, optimizer)
            averaged.eval()
            with torch.no_grad():
                for x, y in loader:
                    print(averaged(x, y))  # here
        """),
    "the best copy": function("""
        def main(model, loader, scaler, optimizer):
            train_epoch(model, loader, scaler, optimizer)
            best = copy.deepcopy(model).to("cuda").eval()
            best.eval()
            with torch.no_grad():
                for x, y in loader:
                    print(best(x, y))  # here
        """),
    "a sliding window": function("""
        @torch.no_grad()
        def validate(model, loader):
            for x, y in loader:
                print(sliding_window_inference(x, (96, 96), 4, model))  # here
        """),
    "a sliding window over a method": function("""
        @torch.no_grad()
        def validate(model, loader):
            for x, y in loader:
                print(sliding_window_inference(x, (96, 96), 4, predictor=model.predict))  # here
        """),
    "now and then, inside the loop that trains": """\
import torch

def train(model, loader, scaler, optimizer):
    for step, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if step % 100 == 0:
            with torch.no_grad():
                print(model(x))  # here
""",
    "behind each epoch, on the whole set": """\
import torch

def train(model, loader, held_out, scaler, optimizer):
    for epoch in range(9):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        model.eval()
        with torch.no_grad():
            print(model(held_out))  # here
        model.train()
""",
    "in front of the loop that trains": """\
import torch

def train(model, loader, held_out, scaler, optimizer):
    with torch.no_grad():
        print(model(held_out))  # here
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    "through two functions": function("""
        @torch.no_grad()
        def one(net, x):
            return net(x)  # here

        def several(net, loader):
            return [one(net, x) for x in loader]

        def main(model, loader, scaler, optimizer):
            train_epoch(model, loader, scaler, optimizer)
            several(model, loader)
        """),
    "the other branch": """\
import torch

def run_epoch(model, loader, scaler, optimizer, is_train):
    for x, y in loader:
        if is_train:
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss = model(x, y)  # here
""",
    "models by name": """\
import torch

def train(models, loader, scaler, optimizer):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = models["head"](models["body"](x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(models, loader):
    for x, y in loader:
        print(models["head"](models["body"](x), y))  # here
""",
    "a region that callers hand in or leave out": """\
import torch
from contextlib import suppress
from functools import partial

def train(model, loader, scaler, optimizer, region=suppress):
    for x, y in loader:
        with region():
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader, region=suppress):
    for x, y in loader:
        with region():
            print(model(x, y))

@torch.no_grad()
def measure(model, loader):
    for x, y in loader:
        print(model(x, y))  # here

def main(model, loader, scaler, optimizer, use_amp):
    region = suppress
    if use_amp:
        region = partial(torch.autocast, device_type="cuda")
    train(model, loader, scaler, optimizer, region=region)
    validate(model, loader, region=region)
    measure(model, loader)
""",
    "a function decorated with the region": """\
import torch

@torch.autocast("cuda")
def compute(model, x, y):
    return model(x, y)

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        scaler.scale(compute(model, x, y)).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader):
    for x, y in loader:
        print(model(x, y))  # here
""",
    "what an unseen helper runs": """\
import torch
from losses import compute_supervised_loss

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = compute_supervised_loss(model, x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader):
    for x, y in loader:
        print(model(x, y))  # here
""",
    "the module that trains itself": in_class(
        """
        def forward(self, x, y):
            return self.model(x) - y

        @torch.no_grad()
        def evaluate(self, loader):
            for x, y in loader:
                print(self.forward(x, y))  # here
        """,
        "self(x, y)",
    ),
    "a part of the module that trains itself": in_class(
        """
        def forward(self, x, y):
            return self.model(x) - y

        @torch.no_grad()
        def evaluate(self, loader):
            for x, y in loader:
                print(self.model(x))  # here
        """,
        "self.forward(x, y)",
    ),
    "a part that another method trains": in_class(
        """
        def loss_of(self, x, y):
            return self.models["head"](x) - y

        @torch.no_grad()
        def evaluate(self, loader):
            for x, y in loader:
                print(self.models["head"](x))  # here
        """,
        "self.loss_of(x, y)",
    ),
    "the average that an attribute holds": in_class("""
        @torch.no_grad()
        def evaluate(self, loader):
            model = self.ema.module
            for x, y in loader:
                print(model(x))  # here
        """),
}


@pytest.mark.parametrize("text", EVALUATIONS.values(), ids=EVALUATIONS.keys())
def test_an_evaluation_is_found_however_it_is_written(text: str) -> None:
    marked = [line.strip() for line in text.splitlines() if line.endswith("# here")]
    assert found(text) == marked and len(marked) == 1


OTHERS = {
    "a trial of the shapes": function("""
        def build(model):
            dummy = torch.zeros(1, 3, 32, 32)
            with torch.no_grad():
                return model(dummy).shape
        """),
    "a warm-up": function("""
        @torch.no_grad()
        def measure(model, x):
            for _ in range(10):
                model(x)
        """),
    "under a region, through another function": function("""
        @torch.no_grad()
        def shown(model, x):
            return model(x)

        def both(model, x):
            return shown(model, x), shown(model, -x)

        def validate(model, loader):
            with torch.autocast("cuda"):
                for x, y in loader:
                    print(both(model, x))
        """),
    "a frozen teacher inside the region": """\
import torch

class Distilled:
    def forward(self, x):
        with torch.no_grad():
            target = self.teacher_model(x)
        return self.model(x) - target

    def fit(self, loader, scaler, optimizer):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.forward(x)
                with torch.no_grad():
                    print(self.teacher_model(x))
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    @torch.no_grad()
    def rate(self, loader):
        for x, y in loader:
            print(self.teacher_model(x))
""",
    "two spellings of one step": """\
import torch

def train(model, loader, scaler, optimizer, use_amp):
    for x, y in loader:
        if use_amp:
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss = model(x, y)
            loss.backward()
            optimizer.step()
""",
    "a target computed in the loop that trains": """\
import torch

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        with torch.no_grad():
            target = model(x)
        with torch.autocast("cuda"):
            loss = model(y, target)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    "a region that the caller hands in": function("""
        @torch.no_grad()
        def validate(model, loader, autocast):
            for x, y in loader:
                with autocast():
                    print(model(x, y))
        """),
    "beside a loop that trains in float32": function("""
        def tune(model, loader, optimizer):
            model.eval()
            with torch.no_grad():
                print(model(loader.hard))
            model.train()
            for x, y in loader:
                model(x, y).backward()
                optimizer.step()

        def main(model, loader, scaler, optimizer):
            train_epoch(model, loader, scaler, optimizer)
            tune(model, loader, optimizer)
        """),
    "a target that one step computes": """\
import torch

def step(model, x, y, scaler, optimizer):
    with torch.no_grad():
        target = model(x)
    with torch.autocast("cuda"):
        loss = model(y, target)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
""",
    "another model through the same functions": function("""
        @torch.no_grad()
        def one(net, x):
            return net(x)

        def several(net, loader):
            return [one(net, x) for x in loader]

        def main(model, teacher, loader, scaler, optimizer):
            train_epoch(model, loader, scaler, optimizer)
            several(teacher, loader)
        """),
    "a sliding window over a method that prepares": function("""
        @torch.no_grad()
        def validate(model, loader):
            for x, y in loader:
                print(sliding_window_inference(x, (96, 96), 4, model.to_patches))
        """),
    "a sliding window over a method with a region": """\
import torch

class Net(torch.nn.Module):
    def predict(self, x):
        with torch.autocast("cuda"):
            return self(x)

def train(loader, held_out, scaler):
    net = Net().cuda()
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = (net(x) - y).mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    with torch.no_grad():
        for x, y in held_out:
            print(sliding_window_inference(x, (96, 96), 4, predictor=net.predict))
""",
    "methods that open a region of their own": in_class(
        """
        def training_step(self, x, y):
            return self.model(x, y)

        def validation_step(self, x, y):
            with torch.autocast("cuda"):
                return self.model(x, y)

        @torch.no_grad()
        def evaluate(self, loader):
            for x, y in loader:
                print(self.validation_step(x, y))
        """,
        "self.training_step(x, y)",
    ),
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_no_evaluation_in_another_precision_is_left_alone(text: str) -> None:
    assert not found(text)
