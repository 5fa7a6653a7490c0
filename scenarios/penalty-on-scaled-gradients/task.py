"""A critic with a slope near one between two clouds of points, as in Wasserstein training."""

import torch
from ampfix_task import Data
from torch import nn

DIMENSIONS, BATCH = 6, 32
BATCHES, HELDOUT = 70, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"critic": nn.Sequential(nn.Linear(DIMENSIONS, 32), nn.Softplus(), nn.Linear(32, 1))}


def data(seed: int) -> Data:
    """Batches of (real [32, 6], fake [32, 6]), float32."""
    generator = torch.Generator().manual_seed(seed)
    shift = 1.5 * nn.functional.normalize(torch.randn(DIMENSIONS, generator=generator), dim=0)

    def batch() -> tuple[torch.Tensor, ...]:
        real, fake = (0.3 * torch.randn(BATCH, DIMENSIONS, generator=generator) for _ in range(2))
        return real + shift, fake

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """The critic's objective: the difference of its means plus the penalty on its slope, shifted to be positive."""
    critic, total = modules["critic"].eval(), 0.0
    for real, fake in heldout:
        with torch.enable_grad():
            middle = ((real + fake) / 2).requires_grad_()
            (slope,) = torch.autograd.grad(critic(middle).sum(), middle)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        total += (critic(fake).mean() - critic(real).mean() + 10 * penalty).item()
    return 2 + total / len(heldout)
