"""What GradScaler does."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator

import pytest
import torch

from ampfix.emulate import cuda
from tests.folklore.claims import refutes


@pytest.fixture(autouse=True)
def emulated() -> Iterator[None]:
    with cuda():
        yield


def stepped(scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer, gradient: float) -> None:
    """One scaled step of the optimizer's only weight, whose unscaled gradient is given."""
    optimizer.zero_grad()
    weight = optimizer.param_groups[0]["params"][0]
    scaler.scale(weight * gradient).backward()
    scaler.step(optimizer)


def one_weight(start: float = 0.0) -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
    weight = torch.nn.Parameter(torch.tensor(start))
    return weight, torch.optim.SGD([weight], lr=1.0)


@refutes(
    "The scale doubles after every step that succeeds, up to 65536",
    "After growth_interval of them in a row, 2000 unless told otherwise, and without a limit.",
    "AMP207",
)
def test_the_scale_grows_by_the_interval_and_without_a_cap() -> None:
    _, optimizer = one_weight()
    assert torch.amp.GradScaler("cuda").get_growth_interval() == 2000
    scaler = torch.amp.GradScaler("cuda", growth_interval=3)
    scales = []
    for _ in range(7):
        stepped(scaler, optimizer, 0.0)
        scaler.update()
        scales.append(scaler.get_scale() / 65536)
    assert scales == [1, 1, 2, 2, 2, 4, 4]


@refutes(
    "loss.float().item() gives the unscaled loss",
    "The loss was never scaled: `scale` returns another tensor. There is nothing to take off before it is logged.",
)
def test_scaling_leaves_the_loss_alone() -> None:
    loss = torch.tensor(0.5, requires_grad=True)
    scaled = torch.amp.GradScaler("cuda").scale(loss)
    assert (loss.item(), scaled.item()) == (0.5, 0.5 * 65536)


@refutes(
    "if scaler._found_inf_per_device(optimizer): tells whether the step was skipped",
    "It returns a dict, which is true as soon as there is an entry for a device, after a clean step too. The scale "
    "before and after `update` tells.",
    "AMP206",
)
def test_the_dict_is_true_after_a_clean_step() -> None:
    _, optimizer = one_weight()
    scaler = torch.amp.GradScaler("cuda")
    stepped(scaler, optimizer, 1.0)
    found = scaler._found_inf_per_device(optimizer)
    assert bool(found) is True
    assert [one.item() for one in found.values()] == [0.0]


@refutes(
    "The scaler makes overflows harmless",
    "It protects what the optimizer steps. A forward that overflowed has been through BatchNorm by then, whose running "
    "statistics are infinite from that batch on: training goes on, evaluation gives NaN.",
    "AMP409",
)
def test_batchnorm_keeps_what_the_scaler_skips() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = copy.deepcopy(list(model.parameters()))
    scaler = torch.amp.GradScaler("cuda")
    with torch.autocast("cuda"):
        loss = model(torch.full((4, 2), 1e5, device="cuda")).float().sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(before, model.parameters(), strict=True))
    assert not model[1].running_mean.isfinite().all()
    assert model.eval()(torch.ones(1, 2)).isnan().all()


@refutes(
    "A scale that collapsed recovers once the gradients are finite again",
    "Each infinite step halves it, and after about 170 of them it is 0. Every loss times 0 is 0, 0 over 0 is NaN, and "
    "twice 0 is 0.",
    "AMP207",
)
def test_a_scale_of_zero_stays_zero() -> None:
    _, optimizer = one_weight()
    scaler = torch.amp.GradScaler("cuda", growth_interval=1)
    for _ in range(200):
        stepped(scaler, optimizer, float("inf"))
        scaler.update()
    assert scaler.get_scale() == 0.0
    for _ in range(50):
        stepped(scaler, optimizer, 1.0)
        scaler.update()
    assert scaler.get_scale() == 0.0


@refutes(
    "update() between two optimizers does no harm",
    "It halves the scale where the first one overflowed, and the second one, whose gradients carry the old scale, is "
    "divided by the new one: its step is twice as long.",
    "AMP111",
)
def test_an_update_between_doubles_the_second_step() -> None:
    _, first = one_weight()
    weight, second = one_weight()
    scaler = torch.amp.GradScaler("cuda")
    scaler.scale(first.param_groups[0]["params"][0] * float("inf") + weight * 1.0).backward()
    scaler.step(first)
    scaler.update()
    scaler.step(second)
    assert weight.item() == -2.0


@refutes(
    "Half weights raise in the scaler, so a run that does not raise has none",
    "float16 weights do. bfloat16 weights pass, and lose every update below a 256th of their size.",
    "AMP301",
)
def test_bfloat16_weights_pass_the_scaler() -> None:
    def weight_after_a_small_step(dtype: torch.dtype) -> float:
        weight = torch.nn.Parameter(torch.ones(1, dtype=dtype))
        optimizer = torch.optim.SGD([weight], lr=1e-3)
        scaler = torch.amp.GradScaler("cuda", init_scale=1.0)
        scaler.scale(weight.float().sum()).backward()
        scaler.step(optimizer)
        return weight.item()

    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        weight_after_a_small_step(torch.float16)
    assert weight_after_a_small_step(torch.bfloat16) == 1.0
    assert weight_after_a_small_step(torch.float32) < 1.0


@refutes(
    "torch.amp.GradScaler(1024.0) starts at 1024",
    "Its first argument is the device, the older class's was the scale. It starts at 65536, and nothing raises.",
    "AMP605",
)
def test_the_first_argument_is_the_device() -> None:
    loss = torch.tensor(1.0)
    assert torch.amp.GradScaler(1024.0).scale(loss).item() == 65536.0  # type: ignore[arg-type]
    assert torch.amp.GradScaler(init_scale=1024.0).scale(loss).item() == 1024.0


@refutes(
    "torch.cuda.amp.GradScaler(False) is a disabled scaler",
    "False is its scale. Every loss is multiplied by 0, the gradients are divided by 0 after the look for infinite "
    "ones, and the first step fills the weights with NaN.",
    "AMP605",
)
def test_a_flag_in_the_first_place_is_a_scale() -> None:
    weight, optimizer = one_weight()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scaler = torch.cuda.amp.GradScaler(False)
    assert scaler.is_enabled()
    stepped(scaler, optimizer, 1.0)
    assert weight.isnan()


@refutes(
    "The scaler refuses closures, so LBFGS cannot go wrong with it",
    "It refuses `closure=`. Handed over as a positional argument, the closure runs, and LBFGS works on whatever scaled "
    "gradients it leaves.",
    "AMP119",
)
def test_a_positional_closure_slips_through() -> None:
    weight = torch.nn.Parameter(torch.tensor(3.0))
    optimizer = torch.optim.LBFGS([weight], lr=1e-3, max_iter=1)
    scaler = torch.amp.GradScaler("cuda")
    seen = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (weight - 1) ** 2
        scaler.scale(loss).backward()
        assert weight.grad is not None
        seen.append(weight.grad.item())
        return loss

    closure()
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(optimizer, closure=closure)
    scaler.step(optimizer, closure)
    assert seen[-1] == 4.0 * 65536


@refutes(
    "torch warns when the schedule runs ahead of skipped steps",
    "Only where the very first step was skipped. Of all later skips nothing is said, and the schedule moves on.",
    "AMP114",
)
def test_later_skips_are_silent() -> None:
    _, optimizer = one_weight()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    scaler = torch.amp.GradScaler("cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for gradient in (1.0, float("inf"), float("inf"), float("inf")):
            stepped(scaler, optimizer, gradient)
            scaler.update()
            scheduler.step()
    assert scheduler.get_last_lr() == [0.5**4]
