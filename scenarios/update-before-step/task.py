"""Position of a source from the times at which its sound arrives: a regression with rare echoes."""

import torch
from ampfix_task import Data
from torch import nn

SENSORS, BATCH = 9, 32
BATCHES, HELDOUT = 120, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"locator": nn.Sequential(nn.Linear(SENSORS, 48), nn.ReLU(), nn.LayerNorm(48), nn.Linear(48, 2))}


def data(seed: int) -> Data:
    """Batches of (times [32, 9], place [32, 2]), float32."""
    generator = torch.Generator().manual_seed(seed)
    sensors = 2 * torch.rand(SENSORS, 2, generator=generator) - 1

    def batch() -> tuple[torch.Tensor, ...]:
        place = 2 * torch.rand(BATCH, 2, generator=generator) - 1
        times = (place.unsqueeze(1) - sensors).norm(dim=2) + 0.01 * torch.randn(BATCH, SENSORS, generator=generator)
        return 2 * times - 2, place + 0.1 * torch.randn(BATCH, 2, generator=generator)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared distance to the true place, per coordinate."""
    model = modules["locator"].eval()
    return sum(nn.functional.mse_loss(model(times), place).item() for times, place in heldout) / len(heldout)
