"""Torque from joint positions: a regression with a plain loop."""

import torch
from ampfix_task import Data
from torch import nn

JOINTS, BATCH = 12, 32
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(JOINTS, 40), nn.Tanh(), nn.Linear(40, 3))}


def data(seed: int) -> Data:
    """Batches of (positions [32, 12], torque [32, 3]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(JOINTS, 3, generator=generator) / JOINTS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        positions = torch.randn(BATCH, JOINTS, generator=generator)
        return positions, 2 * torch.sin(positions @ weights)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the torque."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(positions), torque).item() for positions, torque in heldout) / len(heldout)
