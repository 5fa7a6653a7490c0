"""What is told as an error: violations that hang on no test, and on no name, which is not understood."""

from __future__ import annotations

import pytest

from ampfix.findings import Severity
from ampfix.lint import Settings, check_source

HEAD = """\
import torch
from torch.nn.utils import clip_grad_norm_


"""


def told(body: str) -> list[tuple[str, Severity]]:
    """The errors and guesses about the step protocol in a program."""
    found = check_source(HEAD + body, settings=Settings(select=("AMP1",)))
    return [(one.code, one.severity) for one in found]


STEPPER = """\
class Stepper:
    def __init__(self, model, optimizer, scaler=None):
        self.model, self.optimizer, self.scaler = model, optimizer, scaler

    def step(self, scaler=None):
        active = {active}
        if active is not None:
            {unscale}
            clip_grad_norm_(self.model.parameters(), 1.0)
            active.step(self.optimizer)
            active.update()
        else:
            clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()


def train(model, loader, optimizer, use_amp):
    scaler = {scaler}
    stepper = Stepper(model, optimizer)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if scaler is not None:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        stepper.step({handed})
"""
CHOICES = (
    "scaler if scaler is not None else self.scaler",
    "self.scaler if scaler is None else scaler",
    "scaler or self.scaler",
    "scaler if scaler else self.scaler",
)
BUILT = ('torch.amp.GradScaler("cuda")', 'torch.amp.GradScaler("cuda") if use_amp else None')


@pytest.mark.parametrize("active", CHOICES)
@pytest.mark.parametrize("scaler", BUILT)
@pytest.mark.parametrize("handed", ["scaler", "scaler=scaler"])
def test_a_name_stands_for_the_scaler_that_was_handed_in(active: str, scaler: str, handed: str) -> None:
    unscale = "active.unscale_(self.optimizer)"
    assert told(STEPPER.format(active=active, scaler=scaler, handed=handed, unscale=unscale)) == []


@pytest.mark.parametrize("active", CHOICES)
@pytest.mark.parametrize("scaler", BUILT)
def test_a_clip_under_such_a_name_needs_its_unscale(active: str, scaler: str) -> None:
    body = STEPPER.format(active=active, scaler=scaler, handed="scaler", unscale="pass")
    assert told(body) == [("AMP101", Severity.ERROR)]


OPTIONAL = """\
class Trainer:
    def __init__(self, model, optimizer, precision):
        self.model, self.optimizer, self.precision = model, optimizer, precision
        self.scaler = torch.amp.GradScaler("cuda") if precision == "fp16" else None

    @property
    def scales(self):
        return self.scaler is not None

    def fit(self, loader):
        for index, (x, y) in enumerate(loader):
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            if self.scaler:
                self.scaler.scale(loss).backward()
            else:
                loss.backward()
            {unscale}
            {clip}
            if self.scaler:
                self.scaler.step(self.optimizer)
                self.scaler.update()
            else:
                self.optimizer.step()
"""
UNSCALE, CLIP = "self.scaler.unscale_(self.optimizer)", "clip_grad_norm_(self.model.parameters(), 1.0)"


@pytest.mark.parametrize("test", ["self.scales", 'self.precision.startswith("fp16")', "self.precision in HALF"])
def test_a_test_that_may_be_that_of_the_scaler_leaves_a_guess(test: str) -> None:
    body = OPTIONAL.format(unscale=f"if {test}:\n                {UNSCALE}", clip=CLIP)
    assert {severity for _, severity in told(body)} <= {Severity.NOTE}


@pytest.mark.parametrize("test", ["not self.scales", "self.scaler_of_run is None", "not self.precision.is_half"])
def test_what_stands_under_a_test_for_no_scaler_is_a_guess(test: str) -> None:
    body = OPTIONAL.format(unscale="pass", clip=f"if {test}:\n                {CLIP}").replace(
        "self.scales", "self.mixed()"
    )
    assert {severity for _, severity in told(body)} <= {Severity.NOTE}


@pytest.mark.parametrize("test", ["index % 2 == 0", "(index + 1) % 8 == 0"])
def test_an_unscale_that_counts_batches_leaves_the_others_scaled(test: str) -> None:
    body = OPTIONAL.format(unscale=f"if {test}:\n                {UNSCALE}", clip=CLIP)
    assert ("AMP101", Severity.ERROR) in told(body)


def test_nothing_around_the_clip_is_certain() -> None:
    assert told(OPTIONAL.format(unscale="pass", clip=CLIP)) == [("AMP101", Severity.ERROR)]


MANAGER = """\
class OptimizerManager:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer

    def step(self, scaler=None):
        if scaler is not None:
            scaler.unscale_(self.optimizer)
            clip_grad_norm_(self.model.parameters(), 1.0)
            scaler.step(self.optimizer)
            scaler.update()


def turn(model, x, y, optimizer_manager, scaler=None):
    with torch.autocast("cuda"):
        loss = model(x, y)
    if scaler is not None:
        scaler.scale(loss).backward()
    else:
        loss.backward()
    optimizer_manager.step({handed})
"""


def test_a_step_that_is_handed_a_scaler_is_no_optimizers() -> None:
    assert told(MANAGER.format(handed="scaler=scaler")) == []
    assert [code for code, _ in told(MANAGER.format(handed=""))] == ["AMP106"]


WINDOW = """\
def prepare(scaler, optimizer):
    scaler.unscale_(optimizer)


def finish(scaler, optimizer):
    scaler.step(optimizer)
    scaler.update()


def train(model, loader, optimizer, accumulation, clip):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(x, y) / accumulation
        scaler.scale(loss).backward()
        is_last = (i + 1) % accumulation == 0
        if {first}:
            prepare(scaler, optimizer)
            clip_grad_norm_(model.parameters(), 1.0)
        if {second}:
            finish(scaler, optimizer)
            optimizer.zero_grad()
"""
COUNTS = ("is_last", "boundary(i)", "(i + 1) % accumulation == 0", "i % accumulation == accumulation - 1")


@pytest.mark.parametrize("first", COUNTS)
@pytest.mark.parametrize("second", COUNTS)
def test_two_counts_that_may_be_one_leave_a_guess(first: str, second: str) -> None:
    assert {severity for _, severity in told(WINDOW.format(first=first, second=second))} <= {Severity.NOTE}


@pytest.mark.parametrize(("first", "second"), [("True", "is_last"), ("clip", "boundary(i)"), ("i % 3 == 0", COUNTS[2])])
def test_an_unscale_without_the_count_of_the_step_is_an_error(first: str, second: str) -> None:
    assert ("AMP105", Severity.ERROR) in told(WINDOW.format(first=first, second=second))


SECOND_OPTIMIZER = """\
def train(model, loader, optimizer, centers, cfg):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        centers.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        {test}
            scaler.step(centers)
            scaler.update()
"""


@pytest.mark.parametrize("test", ['if "center" in cfg.loss:', "if cfg.centers:", 'if cfg.loss == "center":'])
def test_a_second_step_that_a_setting_chooses_may_never_be_taken(test: str) -> None:
    assert told(SECOND_OPTIMIZER.format(test=test)) == [("AMP111", Severity.NOTE)]


@pytest.mark.parametrize("test", ["if x.any():", "if torch.isfinite(loss):", "with torch.no_grad():"])
def test_a_second_step_that_batches_decide_on_is_an_error(test: str) -> None:
    assert told(SECOND_OPTIMIZER.format(test=test)) == [("AMP111", Severity.ERROR)]
