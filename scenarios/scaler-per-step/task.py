"""Completing a matrix of measurements: a small autoencoder whose loss is summed over entries and batch."""

import torch
from ampfix_task import Data
from torch import nn

ENTRIES, BATCH = 32, 64
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(ENTRIES, 24), nn.GELU(), nn.Linear(24, ENTRIES))}


def data(seed: int) -> Data:
    """Batches of (masked [64, 32], complete [64, 32]), float32."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(5, ENTRIES, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        complete = 2 * torch.tanh(torch.randn(BATCH, 5, generator=generator) @ basis / 2)
        kept = (torch.rand(BATCH, ENTRIES, generator=generator) < 0.7).float()
        return complete * kept, complete

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error per entry."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(masked), complete).item() for masked, complete in heldout) / len(heldout)
