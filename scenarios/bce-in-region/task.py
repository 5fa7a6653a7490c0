"""Is there an object in a cell of a coarse grid: the objectness head of a small detector."""

import torch
from ampfix_task import Data
from torch import nn

SIZE, BATCH = 12, 16
BATCHES, HELDOUT = 60, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"detector": nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3), nn.Conv2d(12, 1, 1))}


def data(seed: int) -> Data:
    """Batches of (image [16, 1, 12, 12], objectness [16, 1, 4, 4] of 0 and 1), float32."""
    generator = torch.Generator().manual_seed(seed)
    blob = torch.tensor([[0.5, 1.0, 0.5], [1.0, 2.0, 1.0], [0.5, 1.0, 0.5]])

    def batch() -> tuple[torch.Tensor, ...]:
        there = (torch.rand(BATCH, 1, 4, 4, generator=generator) < 0.3).float()
        image = there.repeat_interleave(3, 2).repeat_interleave(3, 3) * blob.repeat(4, 4)
        return image + 0.5 * torch.randn(BATCH, 1, SIZE, SIZE, generator=generator), there

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Binary cross-entropy of the cells."""
    detector = modules["detector"].eval()
    losses = [nn.functional.binary_cross_entropy_with_logits(detector(image), there) for image, there in heldout]
    return sum(loss.item() for loss in losses) / len(losses)
