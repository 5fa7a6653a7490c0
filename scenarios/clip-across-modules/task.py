"""Settling of a pendulum from a few of its readings; now and then a reading is a glitch."""

import torch
from ampfix_task import Data
from torch import nn

READINGS, BATCH = 10, 32
BATCHES, HELDOUT = 90, 6


class Settling(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(READINGS, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh())
        self.head = nn.Linear(40, 1)

    def forward(self, readings):
        return self.head(self.body(readings))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Settling()}


def data(seed: int) -> Data:
    """Batches of (readings [32, 10], rest [32, 1]), float32; a few training targets are glitches of size 20."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(READINGS, dtype=torch.float32)

    def batch() -> tuple[torch.Tensor, ...]:
        rest = 2 * torch.rand(BATCH, 1, generator=generator) - 1
        swing = torch.randn(BATCH, 1, generator=generator)
        speed = 0.6 + 0.4 * torch.rand(BATCH, 1, generator=generator)
        readings = rest + swing * torch.exp(-0.15 * time) * torch.cos(speed * time)
        return readings + 0.05 * torch.randn(BATCH, READINGS, generator=generator), rest

    train = [batch() for _ in range(BATCHES)]
    for index in range(12, BATCHES, 15):
        train[index][1][:4] += 20.0
    return Data(train, [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the rest position, whose variance is 1/3."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(readings), rest).item() for readings, rest in heldout) / len(heldout)
