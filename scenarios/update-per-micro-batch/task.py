"""Rainfall from a weather map: a small classifier over patches, trained with accumulated gradients."""

import torch
from ampfix_task import Data
from torch import nn

SIZE, BATCH = 6, 16
BATCHES, HELDOUT = 240, 10


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Conv2d(2, 10, 3), nn.ReLU(), nn.Flatten(), nn.Linear(10 * 16, 1))}


def data(seed: int) -> Data:
    """Batches of (map [16, 2, 6, 6], rain [16, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    pattern = torch.randn(2, SIZE, SIZE, generator=generator) / 8**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        weather = torch.randn(BATCH, 2, SIZE, SIZE, generator=generator)
        return weather, torch.tanh((weather * pattern).sum((1, 2, 3)) / 4).unsqueeze(1)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the rain."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(weather), rain).item() for weather, rain in heldout) / len(heldout)
