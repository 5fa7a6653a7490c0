"""Corrections to a forecast: an encoder reads the weather, a head writes 256 small values."""

import torch
import torch.nn.functional as F
from ampfix_task import Data
from torch import nn

INPUTS, WIDTH, VALUES, FACTORS, BATCH = 32, 48, 256, 8, 32
BATCHES, HELDOUT = 60, 4
AMPLITUDE = 0.02


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.GELU(), nn.Linear(WIDTH, FACTORS), nn.Tanh())
    head = nn.Linear(FACTORS, VALUES, bias=False)
    nn.init.normal_(head.weight, std=0.01)
    return {"encoder": encoder, "head": head}


def data(seed: int) -> Data:
    """Batches of (weather [32, 32], correction [32, 256] of standard deviation near 0.02), float32."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(INPUTS, FACTORS, generator=generator) / INPUTS**0.5
    outer = torch.randn(FACTORS, VALUES, generator=generator) / FACTORS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        weather = torch.randn(BATCH, INPUTS, generator=generator)
        return weather, AMPLITUDE * torch.tanh(weather @ inner) @ outer

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error over the correction's variance; 1 for a network that predicts nothing."""
    encoder, head = modules["encoder"].eval(), modules["head"].eval()
    losses = [
        (F.mse_loss(head(encoder(weather)), correction) / correction.var()).item() for weather, correction in heldout
    ]
    return sum(losses) / len(losses)
