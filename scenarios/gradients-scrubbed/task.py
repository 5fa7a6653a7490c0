"""Spectra from compositions: a regression with a loss summed over channels and batch."""

import torch
from ampfix_task import Data
from torch import nn

PARTS, CHANNELS, BATCH = 8, 48, 64
BATCHES, HELDOUT = 70, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(PARTS, 40), nn.Tanh(), nn.Linear(40, CHANNELS))}


def data(seed: int) -> Data:
    """Batches of (composition [64, 8], spectrum [64, 48]), float32."""
    generator = torch.Generator().manual_seed(seed)
    lines = torch.randn(PARTS, CHANNELS, generator=generator) / 2

    def batch() -> tuple[torch.Tensor, ...]:
        composition = torch.randn(BATCH, PARTS, generator=generator)
        return composition, 4 * torch.sin(composition @ lines / 2)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error per channel."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(parts), spectrum).item() for parts, spectrum in heldout) / len(heldout)
