"""Denoising one-dimensional signals: a small convolutional network that predicts the noise, as diffusion models do."""

import torch
from ampfix_task import Data
from torch import nn

LENGTH, BATCH = 24, 24
BATCHES, HELDOUT = 60, 6


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.level = nn.Linear(1, 12)
        self.first = nn.Conv1d(1, 12, 5, padding=2)
        self.second = nn.Conv1d(12, 12, 5, padding=2)
        self.last = nn.Conv1d(12, 1, 5, padding=2)

    def forward(self, noisy, level):
        hidden = torch.nn.functional.silu(self.first(noisy) + self.level(level).unsqueeze(-1))
        return self.last(torch.nn.functional.silu(self.second(hidden)))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"denoiser": Denoiser()}


def data(seed: int) -> Data:
    """Batches of (noisy [24, 1, 24], level [24, 1], noise [24, 1, 24]), float32."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(LENGTH, dtype=torch.float32)

    def batch() -> tuple[torch.Tensor, ...]:
        speed = 0.2 + 0.4 * torch.rand(BATCH, 1, 1, generator=generator)
        clean = torch.sin(speed * time + 6 * torch.rand(BATCH, 1, 1, generator=generator))
        level = torch.rand(BATCH, 1, generator=generator)
        noise = torch.randn(BATCH, 1, LENGTH, generator=generator)
        mix = level.unsqueeze(-1)
        return clean * (1 - mix).sqrt() + noise * mix.sqrt(), level, noise

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the predicted noise, whose variance is 1."""
    model = modules["denoiser"].eval()
    return sum(nn.functional.mse_loss(model(noisy, level), noise).item() for noisy, level, noise in heldout) / len(
        heldout
    )
