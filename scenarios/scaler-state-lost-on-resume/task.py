"""Field on a grid from its sources: a convolutional surrogate, trained in short runs that resume one another."""

import torch
from ampfix_task import Data
from torch import nn

SIZE, BATCH = 8, 24
BATCHES, HELDOUT = 96, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "model": nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.SiLU(), nn.Conv2d(12, 1, 5, padding=2)),
    }


def data(seed: int) -> Data:
    """Batches of (sources [24, 1, 8, 8], field [24, 1, 8, 8]), float32."""
    generator = torch.Generator().manual_seed(seed)
    kernel = torch.randn(1, 1, 3, 3, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        sources = torch.randn(BATCH, 1, SIZE, SIZE, generator=generator)
        return sources, 5 * torch.tanh(nn.functional.conv2d(sources, kernel, padding=1) / 2)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error per cell."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(sources), field).item() for sources, field in heldout) / len(heldout)
