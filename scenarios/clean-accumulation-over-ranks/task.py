"""Estimating the sugar in fruit from its reflectance, on two machines."""

import torch
from ampfix_task import Data
from torch import nn

CHANNELS, BATCH = 12, 16
BATCHES, HELDOUT = 96, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(CHANNELS, 40), nn.Tanh(), nn.Linear(40, 1))}


def data(seed: int) -> Data:
    """Batches of (bands [16, 12], sugar [16, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(CHANNELS, 2, generator=generator) / CHANNELS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        bands = torch.randn(BATCH, CHANNELS, generator=generator)
        inner = bands @ mixing
        return bands, torch.tanh(2 * inner[:, :1]) + 0.5 * inner[:, 1:]

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the sugar."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(bands), sugar).item() for bands, sugar in heldout) / len(heldout)
