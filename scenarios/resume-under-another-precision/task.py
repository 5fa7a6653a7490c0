"""Predicting tomorrow's load of a power line from the last ten days."""

import torch
from ampfix_task import Data
from torch import nn

DAYS, BATCH = 10, 32
BATCHES, HELDOUT = 50, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(DAYS, 40), nn.Tanh(), nn.Linear(40, 1))}


def data(seed: int) -> Data:
    """Batches of (last days [32, 10], next day [32, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    days = torch.arange(DAYS + 1, dtype=torch.float32)

    def batch() -> tuple[torch.Tensor, ...]:
        phase = 7 * torch.rand(BATCH, 1, generator=generator)
        trend = 0.1 * torch.randn(BATCH, 1, generator=generator)
        load = torch.sin(6.283 * (days + phase) / 7) + trend * days
        load = load + 0.05 * torch.randn(BATCH, DAYS + 1, generator=generator)
        return load[:, :-1], load[:, -1:]

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the next day's load, whose variance is near 1."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(last), after).item() for last, after in heldout) / len(heldout)
