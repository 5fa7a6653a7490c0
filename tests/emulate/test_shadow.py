"""force_fp32 turns precision off everywhere, and nothing else."""

import warnings
from contextlib import contextmanager, nullcontext

import pytest
import torch

from ampfix.emulate import assert_active, cuda, force_fp32

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def matmul():
    return torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype


@contextmanager
def recorder(seen):
    """Patches the methods of the same classes, as a runtime witness does."""
    autocast, scaler = torch.amp.autocast_mode.autocast, torch.amp.grad_scaler.GradScaler
    enter, step = autocast.__enter__, scaler.step

    def recording_enter(self):
        result = enter(self)
        seen.append(("enter", self._enabled))
        return result

    def recording_step(self, optimizer, *args, **kwargs):
        seen.append(("step", self.is_enabled()))
        return step(self, optimizer, *args, **kwargs)

    autocast.__enter__, scaler.step = recording_enter, recording_step
    try:
        yield
    finally:
        autocast.__enter__, scaler.step = enter, step


def train(device):
    parameter = torch.nn.Parameter(torch.ones(2, 2).to(device))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scaler = torch.amp.GradScaler(device)
    with torch.autocast(device, dtype=torch.float16):
        output = torch.mm(parameter, parameter)
    scaler.scale(output.float().sum()).backward()
    scaler.unscale_(optimizer)
    gradient = parameter.grad.max().item()
    scaler.step(optimizer)
    scaler.update()
    return output.dtype, gradient, scaler.get_scale()


@pytest.mark.parametrize("order", ["forced inside", "forced outside"])
def test_it_composes_with_a_recorder_in_either_order(order):
    seen = []
    contexts = [force_fp32(), recorder(seen)]
    outer, inner = contexts if order == "forced outside" else reversed(contexts)
    with cuda(), outer, inner:
        assert train("cuda") == (torch.float32, 4.0, 1.0)
    assert seen == [("enter", False), ("step", False)]
    with cuda(), recorder(seen):
        assert train("cuda")[0] is torch.float16
    assert seen[2:] == [("enter", True), ("step", True)]


@pytest.mark.parametrize("order", ["forced inside", "forced outside"])
def test_it_composes_with_the_emulation_in_either_order(order):
    contexts = [force_fp32(), cuda()]
    outer, inner = contexts if order == "forced outside" else reversed(contexts)
    with outer, inner:
        assert train("cuda") == (torch.float32, 4.0, 1.0)
        torch.set_autocast_enabled(True)
        assert matmul() is torch.float32
        with pytest.raises(RuntimeError, match="not at work"):
            assert_active()


def test_it_works_without_the_emulation():
    with force_fp32():
        assert train("cpu") == (torch.float32, 4.0, 1.0)
    assert train("cpu")[0] is torch.float16


@pytest.mark.parametrize("emulation", [cuda, nullcontext])
def test_every_spelling_is_disabled(emulation):
    device = "cuda" if emulation is cuda else "cpu"
    with emulation(), force_fp32(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # without the emulation torch says that there is no CUDA
        for region in (torch.autocast(device), torch.cuda.amp.autocast(), torch.amp.autocast(device, torch.bfloat16)):
            with region:
                assert matmul() is torch.float32 and not torch.is_autocast_enabled(device)
        assert torch.autocast(device)(matmul)() is torch.float32
        torch.set_autocast_enabled(device, True)
        assert matmul() is torch.float32
        for scaler in (torch.cuda.amp.GradScaler(), torch.amp.GradScaler(device), torch.GradScaler()):
            assert not scaler.is_enabled() and scaler.get_scale() == 1.0
            assert scaler.scale(torch.ones(1)).item() == 1.0
            assert scaler.state_dict() == {}


def test_objects_made_before_are_disabled_inside_and_themselves_afterwards():
    with cuda():
        region, scaler = torch.autocast("cuda"), torch.amp.GradScaler("cuda", init_scale=2.0)
        decorated = torch.autocast("cuda")(matmul)
        with force_fp32():
            with region:
                assert matmul() is torch.float32
            assert decorated() is torch.float32
            assert scaler.scale(torch.ones(1)).item() == 1.0
        with region:
            assert matmul() is torch.float16
        assert decorated() is torch.float16
        assert scaler.scale(torch.ones(1)).item() == 2.0


def test_objects_made_inside_stay_disabled():
    with cuda():
        with force_fp32():
            region, scaler = torch.autocast("cuda"), torch.amp.GradScaler("cuda")
        with region:
            assert matmul() is torch.float32
        assert not scaler.is_enabled()


def test_explicitly_disabled_objects_and_explicit_casts_are_left_alone():
    with cuda(), force_fp32():
        assert not torch.amp.GradScaler("cuda", enabled=False).is_enabled()
        assert torch.ones(2).half().dtype is torch.float16


def test_undone_after_an_exception():
    with pytest.raises(KeyError), force_fp32():
        raise KeyError
    assert "_enabled" not in vars(torch.amp.autocast_mode.autocast)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert matmul() is torch.bfloat16
