"""What a test compares, it means; and the scaler that it makes moves as it is told."""

import pytest
import torch


@pytest.fixture
def scaler():
    return torch.amp.GradScaler("cuda", init_scale=8.0)


def test_gradients_are_unscaled(scaler):
    p = torch.nn.Parameter(torch.ones(2, device="cuda"))
    optimizer = torch.optim.SGD([p], lr=0.1)
    scaler.scale(p.sum()).backward()
    assert p.grad[0].item() == 8.0
    scaler.unscale_(optimizer)
    assert p.grad[0].item() == 1.0


def test_step_is_skipped_on_overflow():
    own = torch.amp.GradScaler("cuda", init_scale=8.0, growth_interval=1)
    p = torch.nn.Parameter(torch.ones(2, device="cuda"))
    optimizer = torch.optim.SGD([p], lr=0.1)
    own.scale((p * float("inf")).sum()).backward()
    own.step(optimizer)
    own.update()
    assert own.get_scale() == 4.0
