"""Sampling of a smooth field: a regression whose averaged weights are delivered."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, BATCH = 8, 32
BATCHES, HELDOUT = 300, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(INPUTS, 32), nn.Tanh(), nn.Linear(32, 2))}


def data(seed: int) -> Data:
    """Batches of (place [32, 8], field [32, 2]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(INPUTS, 2, generator=generator) / INPUTS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        place = torch.randn(BATCH, INPUTS, generator=generator)
        return place, 2 * torch.tanh(place @ weights)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the averaged network."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(place), field).item() for place, field in heldout) / len(heldout)
