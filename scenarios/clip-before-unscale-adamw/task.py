"""Surface fluxes from a profile of an atmospheric column: a residual network of dense blocks."""

import torch
from ampfix_task import Data
from torch import nn

LEVELS, WIDTH, BLOCKS, FLUXES, BATCH = 24, 64, 2, 4, 64
BATCHES, HELDOUT = 60, 4


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.dense = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, x):
        return x + self.dense(self.norm(x))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    head = nn.Linear(WIDTH, FLUXES)
    nn.init.normal_(head.weight, std=0.03)
    return {"model": nn.Sequential(nn.Linear(LEVELS, WIDTH), *[Block() for _ in range(BLOCKS)], nn.LayerNorm(WIDTH), head)}


def data(seed: int) -> Data:
    """Batches of (profile [64, 24], fluxes [64, 4]), float32. The fluxes come from a random network of tanh units."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(LEVELS, 12, generator=generator) / LEVELS**0.5
    outer = torch.randn(12, FLUXES, generator=generator) / 12**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        profile = torch.randn(BATCH, LEVELS, generator=generator)
        noise = 0.05 * torch.randn(BATCH, FLUXES, generator=generator)
        return profile, torch.tanh(profile @ inner) @ outer + noise

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error over the held-out columns."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(profile), fluxes).item() for profile, fluxes in heldout) / len(heldout)
