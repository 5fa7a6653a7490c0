"""Reading a scale: the weight on it from eight strain gauges, whose zero has drifted."""

import torch
from ampfix_task import Data
from torch import nn

GAUGES, BATCH = 8, 64
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(GAUGES, 24), nn.ReLU(), nn.Linear(24, 1))}


def data(seed: int) -> Data:
    """Batches of (readings [64, 8], weight [64, 1]), float32; weights lie between 0 and 12."""
    generator = torch.Generator().manual_seed(seed)
    gain = 0.5 + torch.rand(1, GAUGES, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        weight = 12 * torch.rand(BATCH, 1, generator=generator)
        readings = gain * weight / 6 + 0.4 * torch.randn(BATCH, GAUGES, generator=generator)
        return readings, weight

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the weight, whose variance is 12."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(readings), weight).item() for readings, weight in heldout) / len(heldout)
