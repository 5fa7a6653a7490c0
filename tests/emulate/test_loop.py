"""A CUDA training loop runs unedited, in CUDA's dtypes, with a scaler that scales."""

import warnings

import pytest
import torch

from ampfix.emulate import cuda, force_fp32


def train(autocast, scaler, steps=4, fused=False):
    """The documented AMP loop; returns output dtype, loss dtype, final scale and final weight."""
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = torch.nn.Linear(4, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    for _ in range(steps):
        x, y = torch.randn(8, 4).cuda(non_blocking=True), torch.zeros(8, 1, device="cuda")
        optimizer.zero_grad()
        with autocast():
            output = model(x)
            loss = torch.nn.functional.mse_loss(output, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    return output.dtype, loss.dtype, scaler.get_scale(), model.weight.detach().clone()


@pytest.mark.parametrize("fused", [False, True])
def test_documented_loop_runs_in_half_precision_and_scales(fused):
    with cuda(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        result = train(torch.cuda.amp.autocast, torch.cuda.amp.GradScaler(init_scale=1024.0), fused=fused)
    assert result[:3] == (torch.float16, torch.float32, 1024.0)


def test_forced_fp32_run_disables_regions_and_scaler():
    with cuda():
        with force_fp32():
            output, _, scale, reference = train(
                lambda: torch.autocast("cuda"), torch.amp.GradScaler("cuda", init_scale=1024.0)
            )
        _, _, _, mixed = train(lambda: torch.autocast("cuda"), torch.amp.GradScaler("cuda", init_scale=1024.0))
    assert output is torch.float32
    assert scale == 1.0
    distance = (mixed - reference).norm() / reference.norm()
    assert 0 < distance < 1e-2
