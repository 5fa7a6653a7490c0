"""Classes of points on interleaved rings: a small classifier trained with accumulated gradients."""

import math

import torch
from ampfix_task import Data
from torch import nn

CLASSES, BATCH = 3, 16
BATCHES, HELDOUT = 240, 8


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"net": nn.Sequential(nn.Linear(8, 40), nn.SiLU(), nn.Linear(40, 40), nn.SiLU(), nn.Linear(40, CLASSES))}


def data(seed: int) -> Data:
    """Batches of (point [16, 8], label [16] int64)."""
    generator = torch.Generator().manual_seed(seed)
    view = torch.randn(2, 8, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        label = torch.randint(CLASSES, (BATCH,), generator=generator)
        angle = 2 * math.pi * torch.rand(BATCH, generator=generator)
        radius = 0.6 + 0.9 * label + 0.15 * torch.randn(BATCH, generator=generator)
        point = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
        return point @ view, label

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy; guessing gives log 3."""
    net = modules["net"].eval()
    return sum(nn.functional.cross_entropy(net(point), label).item() for point, label in heldout) / len(heldout)
