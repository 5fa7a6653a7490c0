"""Energy of a chain of spins from their angles: a regression whose loss is summed over a batch."""

import torch
from ampfix_task import Data
from torch import nn

SPINS, BATCH = 12, 48
BATCHES, HELDOUT = 200, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"energy": nn.Sequential(nn.Linear(2 * SPINS, 48), nn.SiLU(), nn.Linear(48, 1))}


def data(seed: int) -> Data:
    """Batches of (cosines and sines [48, 24], energy [48, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    coupling = torch.randn(SPINS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        angle = 3 * torch.rand(BATCH, SPINS, generator=generator)
        energy = (coupling * torch.cos(angle - angle.roll(1, dims=1))).mean(1, keepdim=True)
        energy = 4 * energy + 0.3 * torch.randn(BATCH, 1, generator=generator)
        return torch.cat([torch.cos(angle), torch.sin(angle)], dim=1), energy

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the energy."""
    model = modules["energy"].eval()
    return sum(nn.functional.mse_loss(model(angles), energy).item() for angles, energy in heldout) / len(heldout)
