"""Charges from field strengths of very different magnitude: a network normalised by its root mean square."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, WIDTH, BATCH = 10, 32, 32
BATCHES, HELDOUT = 80, 6


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(INPUTS, WIDTH, bias=False)
        self.gain = nn.Parameter(torch.ones(WIDTH))
        self.second = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 2)

    def finish(self, normal):
        return self.head(torch.relu(self.second(self.gain * normal)))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Scaled()}


def data(seed: int) -> Data:
    """Batches of (strength [32, 10], from 300 to 10000; charges [32, 2], which depend on its direction)."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(INPUTS, 2, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        direction = nn.functional.normalize(torch.randn(BATCH, INPUTS, generator=generator), dim=1)
        magnitude = 10 ** (2.5 + 1.5 * torch.rand(BATCH, 1, generator=generator))
        return direction * magnitude, torch.tanh(direction @ weights)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the charges."""

    def norm(x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)

    model = modules["model"].eval()
    return sum(
        nn.functional.mse_loss(model.finish(norm(model.first(given))), charges).item() for given, charges in heldout
    ) / len(heldout)
