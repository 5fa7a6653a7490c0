"""Surface pressure in pascals from a station's readings. One standard atmosphere is 101325 Pa."""

import torch
from ampfix_task import Data
from torch import nn

READINGS, WIDTH, BATCH = 12, 48, 64
BATCHES, HELDOUT = 60, 8
ATMOSPHERE = 101325.0


def build(seed: int) -> dict[str, nn.Module]:
    """A network whose output is the pressure in atmospheres; it starts near 0.9."""
    torch.manual_seed(seed)
    head = nn.Linear(WIDTH, 1)
    nn.init.constant_(head.bias, 0.9)
    return {"barometer": nn.Sequential(nn.Linear(READINGS, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), head)}


def data(seed: int) -> Data:
    """Batches of (readings [64, 12], pressure [64, 1] in Pa), float32."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(READINGS, 6, generator=generator) / READINGS**0.5
    outer = torch.randn(6, 1, generator=generator) / 6**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        readings = torch.randn(BATCH, READINGS, generator=generator)
        signal = torch.tanh(readings @ inner) @ outer
        return readings, ATMOSPHERE * (0.8 + 0.15 * signal)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean relative error of the pressure."""
    model = modules["barometer"].eval()
    errors = [((ATMOSPHERE * model(readings) - pressure).abs() / pressure).mean().item() for readings, pressure in heldout]
    return sum(errors) / len(errors)
