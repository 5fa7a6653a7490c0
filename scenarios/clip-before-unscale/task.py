"""Electricity load, one step ahead, from a window of four feeders: a small transformer encoder.

One training batch in ten carries a few meter glitches (targets off by tens of standard deviations), which is why
its users clip gradients. Held-out windows are clean, so the held-out loss says how well the load was learned.
"""

import math

import torch
from ampfix_task import Data
from torch import nn

FEEDERS, WINDOW = 4, 8
SIZES = {"cpu": (16, 32), "cuda": (512, 4096)}  # (width, rows of a batch)
BATCHES, HELDOUT = 80, 8
GLITCHY = torch.arange(8, 48)  # neither the early snapshot nor the last steps are decided by a glitch
GLITCH_BATCHES, GLITCHES, GLITCH_SIZE = 8, 6, 15.0


class Forecaster(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.embed = nn.Linear(FEEDERS, width)
        self.position = nn.Parameter(torch.randn(WINDOW, width) * 0.02)
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norm3 = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)

    def forward(self, window):
        h = self.embed(window) + self.position
        q, k, v = self.qkv(self.norm1(h)).chunk(3, dim=-1)
        attention = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)
        h = h + self.out(attention @ v)
        h = h + self.mlp(self.norm2(h))
        return self.head(self.norm3(h[:, -1])).squeeze(-1)


def build(seed: int, size: str = "cpu") -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Forecaster(SIZES[size][0])}


def data(seed: int, size: str = "cpu") -> Data:
    """Batches of (window [rows, 8, 4], target [rows]), float32."""
    generator = torch.Generator().manual_seed(seed)
    rows = SIZES[size][1]
    train = [_batch(rows, generator) for _ in range(BATCHES)]
    heldout = [_batch(rows, generator) for _ in range(HELDOUT)]
    glitchy = GLITCHY[torch.randperm(len(GLITCHY), generator=generator)[:GLITCH_BATCHES]]
    for index in glitchy.tolist():
        train[index][1][: GLITCHES * rows // SIZES["cpu"][1]] += GLITCH_SIZE
    return Data(train, heldout)


def _batch(rows: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    phase = 2 * math.pi * torch.rand(rows, 1, FEEDERS, generator=generator)
    speed = 0.2 + 0.6 * torch.rand(rows, 1, FEEDERS, generator=generator)
    time = torch.arange(WINDOW + 1, dtype=torch.float32).view(1, -1, 1)
    load = torch.sin(speed * time + phase)
    observed = load[:, :-1] + 0.05 * torch.randn(rows, WINDOW, FEEDERS, generator=generator)
    return observed, 1.25 * load[:, -1].mean(-1)


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error over the held-out windows; targets have variance near 0.5."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(window), target).item() for window, target in heldout) / len(heldout)
