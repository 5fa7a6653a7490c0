"""Readings from four sites, in turn: one network with the site as part of its input."""

import torch
from ampfix_task import Data
from torch import nn

SITES, FEATURES, BATCH = 4, 6, 16
BATCHES, HELDOUT = 240, 16


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(FEATURES + SITES, 48), nn.SiLU(), nn.Linear(48, 1))}


def data(seed: int) -> Data:
    """Batches of (features and site [16, 10], reading [16, 1]), float32; sites take turns."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(SITES, FEATURES, generator=generator) / FEATURES**0.5
    offset = torch.tensor([1.5, -1.5, 0.5, -0.5])

    def batch(index: int) -> tuple[torch.Tensor, ...]:
        site = index % SITES
        features = torch.randn(BATCH, FEATURES, generator=generator)
        where = nn.functional.one_hot(torch.full((BATCH,), site), SITES).float()
        reading = torch.tanh(features @ weights[site]) + offset[site]
        return torch.cat([features, where], dim=1), reading.unsqueeze(1)

    return Data([batch(index) for index in range(BATCHES)], [batch(index) for index in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error over all sites."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(features), reading).item() for features, reading in heldout) / len(heldout)
