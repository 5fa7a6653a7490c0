"""Brightness of a star from its spectrum: a small regression."""

import torch
from ampfix_task import Data
from torch import nn

BANDS, BATCH = 14, 40
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(BANDS, 40), nn.ELU(), nn.Linear(40, 1))}


def data(seed: int) -> Data:
    """Batches of (spectrum [40, 14], brightness [40, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(BANDS, 1, generator=generator) / BANDS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        spectrum = torch.randn(BATCH, BANDS, generator=generator)
        return spectrum, torch.tanh(spectrum @ weights)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the brightness."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(spectrum), value).item() for spectrum, value in heldout) / len(heldout)
