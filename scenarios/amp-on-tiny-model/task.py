"""The yield of a plot from eight soil measurements: a network of 161 weights."""

import torch
from ampfix_task import Data
from torch import nn

MEASURED, WIDTH, ROWS = 8, 16, 64
BATCHES, HELDOUT = 40, 8


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(MEASURED, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))}


def data(seed: int) -> Data:
    """Batches of (measurements [64, 8], yield [64, 1])."""
    generator = torch.Generator().manual_seed(seed)
    effect = torch.randn(MEASURED, 1, generator=generator) / MEASURED**0.5
    train = [_batch(effect, generator) for _ in range(BATCHES)]
    return Data(train, [_batch(effect, generator) for _ in range(HELDOUT)])


def _batch(effect: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    measured = torch.randn(ROWS, MEASURED, generator=generator)
    return measured, torch.sin(measured @ effect) + 0.1 * torch.randn(ROWS, 1, generator=generator)


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error; the noise alone is 0.01."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(measured), target).item() for measured, target in heldout) / len(heldout)
