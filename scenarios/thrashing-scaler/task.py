"""Concentrations along a reactor: a regression with a fixed budget of steps."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, OUTPUTS, BATCH = 6, 24, 32
BATCHES, HELDOUT = 60, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(INPUTS, 48), nn.Tanh(), nn.Linear(48, OUTPUTS))}


def data(seed: int) -> Data:
    """Batches of (conditions [32, 6], profile [32, 24]), float32."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(INPUTS, OUTPUTS, generator=generator) for _ in range(2))

    def batch() -> tuple[torch.Tensor, ...]:
        conditions = torch.randn(BATCH, INPUTS, generator=generator)
        return conditions, 3 * torch.sin(conditions @ first / 3) + torch.tanh(conditions @ second)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error per point of the profile."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(given), profile).item() for given, profile in heldout) / len(heldout)
