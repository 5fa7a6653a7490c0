"""Intensities along a scan line: a regression whose loss is the sum over line and batch."""

import torch
from ampfix_task import Data
from torch import nn

LENGTH, BATCH = 40, 32
BATCHES, HELDOUT = 140, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(8, 48), nn.GELU(), nn.Linear(48, LENGTH))}


def data(seed: int) -> Data:
    """Batches of (parameters [32, 8], line [32, 40]), float32."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.randn(8, LENGTH, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        parameters = torch.randn(BATCH, 8, generator=generator)
        return parameters, 3 * torch.tanh(parameters @ shapes / 4)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error per sample of the line."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(parameters), line).item() for parameters, line in heldout) / len(heldout)
