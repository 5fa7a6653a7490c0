"""Smoothing noisy curves with a deep residual network."""

import torch
from ampfix_task import Data
from torch import nn

POINTS, WIDTH, BLOCKS, BATCH = 16, 32, 3, 32
BATCHES, HELDOUT = 30, 6


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH))

    def forward(self, hidden):
        return hidden + self.inner(hidden)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    blocks = nn.ModuleList([Block() for _ in range(BLOCKS)])
    return {"enter": nn.Linear(POINTS, WIDTH), "blocks": blocks, "leave": nn.Linear(WIDTH, POINTS)}


def data(seed: int) -> Data:
    """Batches of (noisy curve [32, 16], curve [32, 16]), float32."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(POINTS) / POINTS

    def batch() -> tuple[torch.Tensor, ...]:
        phase, speed = torch.rand(2, BATCH, 1, generator=generator)
        curve = torch.sin(6.283 * (phase + (1 + speed) * time))
        return curve + 0.3 * torch.randn(BATCH, POINTS, generator=generator), curve

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the curve, whose variance is 0.5."""
    losses = []
    for noisy, curve in heldout:
        hidden = modules["enter"](noisy)
        for block in modules["blocks"]:
            hidden = block(hidden)
        losses.append(nn.functional.mse_loss(modules["leave"](hidden), curve).item())
    return sum(losses) / len(losses)
