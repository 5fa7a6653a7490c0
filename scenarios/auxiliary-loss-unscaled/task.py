"""Two targets from one measurement: a shared trunk with two heads."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, BATCH = 12, 32
BATCHES, HELDOUT = 80, 6


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(INPUTS, 40), nn.GELU())
        self.depth = nn.Linear(40, 1)
        self.slope = nn.Linear(40, 2)

    def forward(self, measured):
        shared = self.trunk(measured)
        return self.depth(shared), self.slope(shared)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": TwoHeads()}


def data(seed: int) -> Data:
    """Batches of (measured [32, 12], depth [32, 1], slope [32, 2]), float32."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(INPUTS, 3, generator=generator) / INPUTS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        measured = torch.randn(BATCH, INPUTS, generator=generator)
        both = torch.tanh(measured @ mixing)
        return measured, both[:, :1], both[:, 1:]

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Sum of the mean squared errors of both heads."""
    model, total = modules["model"].eval(), 0.0
    for measured, depth, slope in heldout:
        first, second = model(measured)
        total += (nn.functional.mse_loss(first, depth) + nn.functional.mse_loss(second, slope)).item()
    return total / len(heldout)
