"""Load of a bridge from strain gauges: a regression trained with a window of micro-batches."""

import torch
from ampfix_task import Data
from torch import nn

GAUGES, BATCH = 10, 8
BATCHES, HELDOUT = 400, 12


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(GAUGES, 32), nn.Softplus(), nn.Linear(32, 1))}


def data(seed: int) -> Data:
    """Batches of (strain [8, 10], load [8, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(GAUGES, 1, generator=generator) / GAUGES**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        strain = torch.randn(BATCH, GAUGES, generator=generator)
        return strain, torch.nn.functional.softplus(2 * strain @ weights) - 1

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the load."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(strain), load).item() for strain, load in heldout) / len(heldout)
