"""Denoising short signals as a diffusion model does: predict the noise at a random time."""

import torch
from ampfix_task import Data
from torch import nn

POINTS, WIDTH, BATCH, TIMES = 16, 48, 32, 100
BATCHES, HELDOUT = 40, 6


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(8, WIDTH), nn.SiLU())
        self.enter = nn.Linear(POINTS, WIDTH)
        self.body = nn.Sequential(nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, POINTS))

    def forward(self, signal, features):
        return self.body(self.enter(signal) + self.time(features))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"denoiser": Denoiser()}


def data(seed: int) -> Data:
    """Batches of (noisy signal [32, 16], features of the time [32, 8], noise [32, 16]), float32."""
    generator = torch.Generator().manual_seed(seed)
    kept = torch.cos(torch.linspace(0, 1.5, TIMES)) ** 2
    steps = torch.arange(POINTS) / POINTS

    def batch() -> tuple[torch.Tensor, ...]:
        time = torch.randint(TIMES, (BATCH,), generator=generator)
        phase = torch.rand(BATCH, 1, generator=generator)
        clean = torch.sin(6.283 * (steps + phase))
        noise = torch.randn(BATCH, POINTS, generator=generator)
        share = kept[time][:, None]
        angle = time[:, None] / TIMES * torch.tensor([1.0, 2.0, 4.0, 8.0])
        return share.sqrt() * clean + (1 - share).sqrt() * noise, torch.cat([angle.sin(), angle.cos()], dim=1), noise

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the predicted noise, whose variance is 1."""
    model = modules["denoiser"].eval()
    losses = [nn.functional.mse_loss(model(noisy, time), noise).item() for noisy, time, noise in heldout]
    return sum(losses) / len(losses)
