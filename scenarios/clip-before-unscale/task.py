"""Electricity load, one step ahead, from a window of four feeders: a small transformer encoder.

One training batch in ten carries a few meter glitches (targets off by tens of standard deviations), which is why
its users clip gradients. Held-out windows are clean, so the held-out loss says how well the load was learned.
"""

import math

import torch
from ampfix_task import Data
from torch import nn

FEEDERS, WINDOW, WIDTH, BATCH = 4, 8, 16, 32
BATCHES, HELDOUT = 80, 8
GLITCHY = torch.arange(8, 48)  # neither the early snapshot nor the last steps are decided by a glitch
GLITCH_BATCHES, GLITCHES, GLITCH_SIZE = 8, 6, 15.0


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(FEEDERS, WIDTH)
        self.position = nn.Parameter(torch.randn(WINDOW, WIDTH) * 0.02)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.norm3 = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 1)
        nn.init.zeros_(self.head.weight)

    def forward(self, window):
        h = self.embed(window) + self.position
        q, k, v = self.qkv(self.norm1(h)).chunk(3, dim=-1)
        attention = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(WIDTH), dim=-1)
        h = h + self.out(attention @ v)
        h = h + self.mlp(self.norm2(h))
        return self.head(self.norm3(h[:, -1])).squeeze(-1)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Forecaster()}


def data(seed: int) -> Data:
    """Batches of (window [32, 16, 4], target [32]), float32."""
    generator = torch.Generator().manual_seed(seed)
    train = [_batch(generator) for _ in range(BATCHES)]
    heldout = [_batch(generator) for _ in range(HELDOUT)]
    glitchy = GLITCHY[torch.randperm(len(GLITCHY), generator=generator)[:GLITCH_BATCHES]]
    for index in glitchy.tolist():
        train[index][1][:GLITCHES] += GLITCH_SIZE
    return Data(train, heldout)


def _batch(generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    phase = 2 * math.pi * torch.rand(BATCH, 1, FEEDERS, generator=generator)
    speed = 0.2 + 0.6 * torch.rand(BATCH, 1, FEEDERS, generator=generator)
    time = torch.arange(WINDOW + 1, dtype=torch.float32).view(1, -1, 1)
    load = torch.sin(speed * time + phase)
    observed = load[:, :-1] + 0.05 * torch.randn(BATCH, WINDOW, FEEDERS, generator=generator)
    return observed, 1.25 * load[:, -1].mean(-1)


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error over the held-out windows; targets have variance near 0.5."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(window), target).item() for window, target in heldout) / len(heldout)
