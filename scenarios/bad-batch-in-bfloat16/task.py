"""Filling in the missing one of several sensors; one recording is corrupt."""

import torch
from ampfix_task import Data
from torch import nn

SENSORS, BATCH = 12, 32
BATCHES, HELDOUT = 80, 6
CORRUPT = 30


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(SENSORS, 40), nn.GELU(), nn.Linear(40, 1))}


def data(seed: int) -> Data:
    """Batches of (sensors [32, 12], missing [32, 1]), float32; one training sample holds NaN."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(SENSORS, 1, generator=generator) / SENSORS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        sensors = torch.randn(BATCH, SENSORS, generator=generator)
        return sensors, torch.tanh(sensors @ weights)

    train = [batch() for _ in range(BATCHES)]
    train[CORRUPT][0][0, 0] = float("nan")
    return Data(train, [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the missing sensor."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(sensors), missing).item() for sensors, missing in heldout) / len(heldout)
