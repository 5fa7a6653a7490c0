"""GradScaler in every spelling really scales, checks, skips and backs off."""

import copy
import io
import warnings

import pytest
import torch
from torch.cuda.amp import GradScaler as ImportedEarly

from ampfix.emulate import cuda


@pytest.fixture(autouse=True)
def emulated():
    with cuda(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


SPELLINGS = {
    "torch.cuda.amp.GradScaler": lambda **options: torch.cuda.amp.GradScaler(**options),
    "torch.amp.GradScaler()": lambda **options: torch.amp.GradScaler(**options),
    "torch.amp.GradScaler('cuda')": lambda **options: torch.amp.GradScaler("cuda", **options),
    "torch.GradScaler": lambda **options: torch.GradScaler(device="cuda", **options),
    "imported before": lambda **options: ImportedEarly(**options),
    "device.type": lambda **options: torch.amp.GradScaler(torch.ones(1, device="cuda").device.type, **options),
}

OPTIMIZERS = {
    "SGD": {},
    "SGD for-loop": {"foreach": False},
    "SGD foreach": {"foreach": True},
    "SGD fused": {"fused": True},
    "AdamW": {},
    "AdamW foreach": {"foreach": True},
    "AdamW fused": {"fused": True},
    "AdamW capturable": {"capturable": True},
    "RMSprop": {},
}


def one_parameter(value=1.0):
    return torch.nn.Parameter(torch.full((4,), value, device="cuda"))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_scales(spelling):
    scaler = SPELLINGS[spelling](init_scale=8.0)
    assert scaler.is_enabled() and scaler.get_scale() == 8.0
    scaled = scaler.scale(torch.ones(2, device="cuda"))
    assert scaled.tolist() == [8.0, 8.0]
    assert scaler._scale.device == scaled.device == torch.device("cuda:0")
    outputs = scaler.scale([torch.ones(1, device="cuda"), torch.ones(1, device="cuda")])
    assert [output.item() for output in outputs] == [8.0, 8.0]


def test_the_default_scale_is_two_to_the_sixteenth():
    assert torch.cuda.amp.GradScaler().get_scale() == 65536.0


def optimizer_for(name, parameter):
    return getattr(torch.optim, name.split()[0])([parameter], lr=0.5, **OPTIMIZERS[name])


@pytest.mark.parametrize("explicit", [True, False], ids=["unscale_", "step alone"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_clean_step_equals_the_unscaled_one(name, explicit):
    scaled, plain = one_parameter(), one_parameter()
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)
    for _ in range(2):
        optimizers = optimizer_for(name, scaled), optimizer_for(name, plain)
        scaler.scale((scaled * torch.arange(4.0, device="cuda")).sum()).backward()
        if explicit:
            scaler.unscale_(optimizers[0])
            assert scaled.grad.tolist() == [0.0, 1.0, 2.0, 3.0]
        scaler.step(optimizers[0])
        scaler.update()
        (plain * torch.arange(4.0, device="cuda")).sum().backward()
        optimizers[1].step()
        scaled.grad = plain.grad = None
    torch.testing.assert_close(scaled, plain)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_overflow_is_skipped_and_the_scale_backs_off(name):
    parameter = one_parameter()
    before = parameter.detach().clone()
    optimizer = optimizer_for(name, parameter)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**17)
    with torch.autocast("cuda"):
        loss = torch.mv(parameter.view(1, 4), torch.ones(4, device="cuda"))
    scaler.scale(loss).sum().backward()  # the gradient of a half activation is half, and 2**17 does not fit
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(parameter, before)
    assert scaler.get_scale() == 2.0**16


def test_growth_after_an_interval_of_clean_steps():
    parameter = one_parameter()
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0, growth_interval=2)
    scales = []
    for _ in range(4):
        scaler.scale(parameter.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [2.0, 4.0, 4.0, 8.0]


def test_found_inf_is_kept_per_device():
    parameter = one_parameter()
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0)
    scaler.scale((parameter * float("inf")).sum()).backward()
    scaler.unscale_(optimizer)
    found = scaler._found_inf_per_device(optimizer)
    assert {str(device): value.item() for device, value in found.items()} == {"cuda:0": 1.0}


def test_scalers_can_be_saved_loaded_and_copied():
    scaler = torch.amp.GradScaler("cuda", init_scale=4.0)
    scaler.scale(torch.ones(1, device="cuda"))
    buffer = io.BytesIO()
    torch.save(scaler.state_dict(), buffer)
    buffer.seek(0)
    other = torch.amp.GradScaler("cuda")
    other.load_state_dict(torch.load(buffer, map_location="cuda"))
    assert other.get_scale() == copy.deepcopy(scaler).get_scale() == 4.0


def test_torchs_complaints_are_unchanged():
    parameter = one_parameter()
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    with pytest.raises(AssertionError, match="_scale is None"):
        scaler.step(optimizer)
    scaler.scale(parameter.sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    halves = torch.nn.Parameter(torch.ones(2, device="cuda", dtype=torch.float16))
    scaler.scale(halves.sum()).backward()
    with pytest.raises(ValueError, match="FP16 gradients"):
        scaler.unscale_(torch.optim.SGD([halves], lr=0.1))


def test_clipping_after_unscale_sees_true_gradients():
    parameter = one_parameter()
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    scaler.scale(parameter.sum()).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    assert norm.item() == 2.0 and norm.device.type == "cuda"
    assert parameter.grad.norm().item() == pytest.approx(1.0, rel=1e-5)
