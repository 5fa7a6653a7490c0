"""Reading a dial: the angle of a noisy needle from twelve light sensors."""

import torch
from ampfix_task import Data
from torch import nn

SENSORS, BATCH = 12, 32
BATCHES, HELDOUT = 60, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(SENSORS, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 2))}


def data(seed: int) -> Data:
    """Batches of (light [32, 12], direction [32, 2]), float32."""
    generator = torch.Generator().manual_seed(seed)
    places = 6.283 * torch.rand(SENSORS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        angle = 6.283 * torch.rand(BATCH, 1, generator=generator)
        light = torch.exp(2 * torch.cos(angle - places) - 2) + 0.02 * torch.randn(BATCH, SENSORS, generator=generator)
        return light, torch.cat([angle.cos(), angle.sin()], dim=1)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the direction; 0.5 for a model that has learnt nothing."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(light), needle).item() for light, needle in heldout) / len(heldout)
