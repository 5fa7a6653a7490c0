"""Code that is not understood, between the events of a step: what it may have done is not told as an error."""

from __future__ import annotations

import pytest

from ampfix.findings import Severity
from ampfix.lint import Settings, check_source

HEAD = """\
import pickle
import torch
from functools import partial
from operator import methodcaller
from types import SimpleNamespace
from torch.nn.utils import clip_grad_norm_
from fancy_amp import register_unscale, SafeScaler


"""
FUNCTION = """\
{before}


def train(model, loader, optimizer, {parameters}):
    scaler = torch.amp.GradScaler("cuda")
    {prepared}
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        {unseen}
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
"""
HELPERS = """\
def unscale(scaler, optimizer):
    scaler.unscale_(optimizer)

def make(scaler):
    def run(optimizer):
        scaler.unscale_(optimizer)
    return run

def call(function, optimizer):
    function(optimizer)

def look(scaler):
    return scaler.get_scale()

HOOKS = {"backward": unscale}
"""
IN_A_FUNCTION = {
    "a function from a dictionary": ("", "", 'HOOKS["backward"](scaler, optimizer)'),
    "a function handed in": ("hook", "", "hook(scaler, optimizer)"),
    "a function handed a list of state": ("hook", "parts = (scaler, optimizer)", "hook(*parts)"),
    "a function handed a dictionary of state": ("hook", "parts = dict(scaler=scaler, opt=optimizer)", "hook(**parts)"),
    "stages that share a dictionary": (
        "stages",
        'state = {"scaler": scaler, "optimizer": optimizer}',
        "for stage in stages:\n            stage(state)",
    ),
    "a closure in a list": (
        "",
        "hooks = [lambda: scaler.unscale_(optimizer)]",
        "for hook in hooks:\n            hook()",
    ),
    "a partial in a list": (
        "",
        "hooks = [partial(unscale, scaler, optimizer)]",
        "for hook in hooks:\n            hook()",
    ),
    "a closure of a factory": ("", "run = make(scaler)", "call(run, optimizer)"),
    "a method caller": ("", 'unscale_all = methodcaller("unscale_", optimizer)', "unscale_all(scaler)"),
    "a method by its name": ("", "", 'getattr(scaler, "unscale_")(optimizer)'),
    "a registry": ("registry", 'registry.register("scaler", scaler)', 'registry.call("backward")'),
    "an object out of a pickle": ("file", "run = pickle.load(file)\n    run.attach(optimizer, scaler)", "run.go_on()"),
    "hooks of another package": ("", "register_unscale(model, optimizer, scaler)", "pass"),
    "a wrapper of another package": ("", "scaler = SafeScaler(scaler, optimizer)", "pass"),
    "nested functions in a dictionary": (
        "kind",
        "def ready():\n        scaler.unscale_(optimizer)\n\n    phases = {'clip': ready}",
        "phases[kind]()",
    ),
    "a handler of a bus": (
        "bus",
        "@bus.on('backward')\n    def ready():\n        scaler.unscale_(optimizer)\n",
        "bus.emit('backward')",
    ),
}
HARMLESS = {
    "a log": ("logger", "", 'logger.info("loss %s", loss.item())'),
    "a meter": ("meter", "", "meter.update(loss.item(), len(x))"),
    "torch": ("", "", "torch.cuda.synchronize()"),
    "a checkpoint": ("store", "store.load_checkpoint(model, optimizer, scaler)", "pass"),
    "a function of the project that only looks": ("", "", "look(scaler)"),
    "what a function of the project found": ("", "", 'found = look(scaler)\n        print(found.get("scale"))'),
    "what is printed": ("", "print(scaler)", "print(scaler.get_scale())"),
    "a function of losses": ("criterion", "", "criterion(x, y)"),
    "a closure that does not unscale": ("", "rate = lambda step: 1 / (step + 1)", "rate(3)"),
}


def told(body: str) -> set[tuple[str, Severity]]:
    found = check_source(HEAD + body, settings=Settings(select=("AMP1",)))
    return {(one.code, one.severity) for one in found if one.code != "AMP114"}


def function(parameters: str, prepared: str, unseen: str) -> str:
    return FUNCTION.format(before=HELPERS, parameters=parameters, prepared=prepared or "pass", unseen=unseen)


@pytest.mark.parametrize("name", IN_A_FUNCTION)
def test_what_gets_the_scaler_may_unscale(name: str) -> None:
    assert {severity for _, severity in told(function(*IN_A_FUNCTION[name]))} <= {Severity.NOTE}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_cannot_unscale_leaves_an_error(name: str) -> None:
    assert told(function(*HARMLESS[name])) == {("AMP101", Severity.ERROR)}


CLASS = """\
class Trainer:
    def __init__(self, model, optimizer, callbacks, names, events, logger):
        self.model, self.optimizer = model, optimizer
        self.callbacks, self.names, self.events, self.logger = callbacks, names, events, logger
        self.scaler = torch.amp.GradScaler("cuda")
        {made}

    def {method}(self):
        self.scaler.unscale_(self.optimizer)

    def call(self, name):
        for callback in self.callbacks:
            getattr(callback, name)(self)

    def describe(self):
        return len(self.callbacks)

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            {unseen}
            clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            {update}
"""
UPDATE = "self.scaler.update()"
IN_A_CLASS = {
    "callbacks": ("pass", "for one in self.callbacks:\n                one.after_backward(self)", UPDATE),
    "callbacks called by a helper": ("pass", 'self.call("after_backward")', UPDATE),
    "methods by their names": ("pass", "for name in self.names:\n                getattr(self, name)()", UPDATE),
    "a dictionary of methods": ('self.phases = {"ready": self.ready}', 'self.phases["ready"]()', UPDATE),
    "events": ("pass", 'self.events.fire("backward", self)', UPDATE),
    "an object of another package": ("self.safe = SafeScaler(self)", "self.safe.prepare()", UPDATE),
    "an update in a callback": ("pass", "self.ready()", 'self.events.fire("step", self)'),
}
SEEN = {
    "a log": ("pass", "self.logger.log(loss.item())", UPDATE),
    "a helper of its own": ("pass", "self.describe()", UPDATE),
    "what is kept for logs": ("self.logger.scaler = None", "self.logger.log(loss.item())", UPDATE),
}


@pytest.mark.parametrize("name", IN_A_CLASS)
def test_what_gets_the_trainer_may_finish_the_step(name: str) -> None:
    made, unseen, update = IN_A_CLASS[name]
    body = CLASS.format(made=made, unseen=unseen, update=update, method="ready")
    assert {severity for _, severity in told(body)} <= {Severity.NOTE}


@pytest.mark.parametrize("name", SEEN)
def test_what_is_understood_leaves_an_error(name: str) -> None:
    made, unseen, update = SEEN[name]
    body = CLASS.format(made=made, unseen=unseen, update=update, method="never_called")
    assert told(body) == {("AMP101", Severity.ERROR)}


CONTEXT = """\
def train(context, model, loader, plugin):
    for x, y in loader:
        context.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        context.scaler.scale(loss).backward()
        {unseen}
        clip_grad_norm_(model.parameters(), 1.0)
        context.scaler.step(context.optimizer)
        context.scaler.update()
"""


@pytest.mark.parametrize("unseen", ["context.prepare_clip()", "plugin.after_backward(context)", "plugin(context)"])
def test_what_gets_the_object_around_the_scaler_may_unscale(unseen: str) -> None:
    assert {severity for _, severity in told(CONTEXT.format(unseen=unseen))} <= {Severity.NOTE}


@pytest.mark.parametrize("unseen", ["context.log(loss)", "plugin.after_backward(loss)", "loss = loss.detach()"])
def test_what_gets_a_loss_alone_leaves_an_error(unseen: str) -> None:
    assert told(CONTEXT.format(unseen=unseen)) == {("AMP101", Severity.ERROR)}


PLAIN = """\
def train(model, loader, optimizer, plugin):
    {prepared}
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        {backward}
        optimizer.step()
"""


def severities(prepared: str, backward: str) -> list[Severity]:
    body = HEAD + PLAIN.format(prepared=prepared, backward=backward)
    return [one.severity for one in check_source(body, settings=Settings(select=("AMP201",)))]


@pytest.mark.parametrize(
    ("prepared", "backward"),
    [
        ("optimizer = plugin.wrap(optimizer)", "loss.backward()"),
        ("model, optimizer = plugin.initialize(model, optimizer)", "loss.backward()"),
        ("plugin.attach(model, optimizer)", "loss.backward()"),
        ("optimizer = SafeScaler(optimizer)", "loss.backward()"),
        ("pass", "with plugin.scaled(loss, optimizer) as loss:\n            loss.backward()"),
        ("pass", "loss = plugin.scale(loss)\n        loss.backward()"),
    ],
)
def test_what_gets_the_optimizer_or_the_loss_may_scale_it(prepared: str, backward: str) -> None:
    assert set(severities(prepared, backward)) <= {Severity.NOTE}


@pytest.mark.parametrize(
    ("prepared", "backward"),
    [
        ("pass", "loss.backward()"),
        ("rates = torch.optim.lr_scheduler.StepLR(optimizer, 3)", "loss.backward()"),
        ("plugin.update_lr(3, optimizer)", "loss.backward()"),
        ("plugin.load_checkpoint(model, optimizer)", "loss.backward()"),
        ("pass", "with torch.autograd.profiler.record_function('back'):\n            loss.backward()"),
    ],
)
def test_schedules_and_checkpoints_scale_nothing(prepared: str, backward: str) -> None:
    assert severities(prepared, backward) == [Severity.ERROR]
