"""Repainting of small tiles: a generator learns pairs, a discriminator tells real pairs from painted ones."""

import torch
from ampfix_task import Data
from torch import nn

PIXELS, BATCH = 16, 32
BATCHES, HELDOUT = 70, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    generator = nn.Sequential(nn.Linear(PIXELS, 48), nn.Tanh(), nn.Linear(48, PIXELS))
    discriminator = nn.Sequential(nn.Linear(2 * PIXELS, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    return {"generator": generator, "discriminator": discriminator}


def data(seed: int) -> Data:
    """Batches of (sketch [32, 16], picture [32, 16]), float32."""
    generator = torch.Generator().manual_seed(seed)
    strokes = torch.randn(PIXELS, PIXELS, generator=generator) / PIXELS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        sketch = torch.randn(BATCH, PIXELS, generator=generator)
        return sketch, torch.tanh(sketch @ strokes)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean absolute error of the painted pictures."""
    generator = modules["generator"].eval()
    return sum((generator(sketch) - picture).abs().mean().item() for sketch, picture in heldout) / len(heldout)
