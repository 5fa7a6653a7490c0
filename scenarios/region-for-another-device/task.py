"""Angle of a stripe pattern: a small vision network."""

import math

import torch
from ampfix_task import Data
from torch import nn

SIZE, BATCH = 8, 24
BATCHES, HELDOUT = 60, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12 * 36, 2))}


def data(seed: int) -> Data:
    """Batches of (image [24, 1, 8, 8], cosine and sine of twice the angle [24, 2]), float32."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")

    def batch() -> tuple[torch.Tensor, ...]:
        angle = math.pi * torch.rand(BATCH, 1, 1, generator=generator)
        phase = torch.cos(angle) * rows + torch.sin(angle) * columns
        image = torch.sin(1.2 * phase) + 0.2 * torch.randn(BATCH, SIZE, SIZE, generator=generator)
        return image.unsqueeze(1), torch.cat([torch.cos(2 * angle), torch.sin(2 * angle)], dim=1).squeeze(-1)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of cosine and sine."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(image), angle).item() for image, angle in heldout) / len(heldout)
