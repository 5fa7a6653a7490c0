"""A smooth curve through a few hundred points: a small network fitted with a quasi-Newton method."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, BATCH = 4, 96
BATCHES, HELDOUT = 12, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"curve": nn.Sequential(nn.Linear(INPUTS, 24), nn.Tanh(), nn.Linear(24, 1))}


def data(seed: int) -> Data:
    """Batches of (place [96, 4], height [96, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(INPUTS, 1, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        place = torch.randn(BATCH, INPUTS, generator=generator)
        return place, torch.tanh(place @ weights) + 0.3 * torch.randn(BATCH, 1, generator=generator)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the height."""
    curve = modules["curve"].eval()
    return sum(nn.functional.mse_loss(curve(place), height).item() for place, height in heldout) / len(heldout)
