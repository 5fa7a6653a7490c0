"""Pressure from valve positions: a regression whose first layer has a backward of its own."""

import torch
from ampfix_task import Data
from torch import nn

VALVES, WIDTH, BATCH = 10, 32, 32
BATCHES, HELDOUT = 70, 6


class Pipes(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(VALVES, WIDTH) / VALVES**0.5)
        self.head = nn.Linear(WIDTH, 1)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Pipes()}


def data(seed: int) -> Data:
    """Batches of (valves [32, 10], pressure [32, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(VALVES, 1, generator=generator) / VALVES**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        valves = torch.randn(BATCH, VALVES, generator=generator)
        return valves, torch.tanh(valves @ weights)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the pressure."""
    model = modules["model"].eval()
    return sum(
        nn.functional.mse_loss(model.head(torch.relu(valves @ model.weight)), pressure).item()
        for valves, pressure in heldout
    ) / len(heldout)
