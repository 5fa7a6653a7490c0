"""Removing the residual from a faint field: a small network predicts 256 values per sample, each of them tiny."""

import torch
import torch.nn.functional as F
from ampfix_task import Data
from torch import nn

INPUTS, WIDTH, VALUES, FACTORS, BATCH = 32, 48, 256, 8, 32
BATCHES, HELDOUT = 60, 4
AMPLITUDE = 0.02


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    head = nn.Linear(WIDTH, VALUES)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return {"model": nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(), head)}


def data(seed: int) -> Data:
    """Batches of (reading [32, 32], residual [32, 256] of standard deviation near 0.02), float32."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(INPUTS, FACTORS, generator=generator) / INPUTS**0.5
    outer = torch.randn(FACTORS, VALUES, generator=generator) / FACTORS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        reading = torch.randn(BATCH, INPUTS, generator=generator)
        return reading, AMPLITUDE * torch.tanh(reading @ inner) @ outer

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error over the residual's variance; 1 for a network that predicts nothing."""
    model = modules["model"].eval()
    losses = [(F.mse_loss(model(reading), residual) / residual.var()).item() for reading, residual in heldout]
    return sum(losses) / len(losses)
