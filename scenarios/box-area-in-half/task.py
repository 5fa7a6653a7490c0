"""Finding one bright rectangle in a small image: its box in pixels of the original photograph, 640 on a side."""

import torch
from ampfix_task import Data
from torch import nn

SIDE, CELLS, BATCH = 640.0, 16, 32
BATCHES, HELDOUT = 80, 6


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()
        )
        self.box = nn.Linear(8 * (CELLS // 4) ** 2, 4)

    def forward(self, image):
        return self.box(self.features(image).flatten(1)).sigmoid()


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"detector": Detector()}


def data(seed: int) -> Data:
    """Batches of (image [32, 1, 16, 16], box [32, 4] as center x, center y, width, height in pixels), float32."""
    generator = torch.Generator().manual_seed(seed)
    place = (torch.arange(CELLS) + 0.5) / CELLS

    def batch() -> tuple[torch.Tensor, ...]:
        size = 0.4 + 0.5 * torch.rand(BATCH, 2, generator=generator)
        center = size / 2 + (1 - size) * torch.rand(BATCH, 2, generator=generator)
        inside = ((place - center[:, :, None]).abs() < size[:, :, None] / 2).float()
        image = inside[:, 1, :, None] * inside[:, 0, None, :]
        image = image + 0.1 * torch.randn(BATCH, CELLS, CELLS, generator=generator)
        return image[:, None], SIDE * torch.cat([center, size], dim=1)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """1 minus the mean intersection over union."""
    model = modules["detector"].eval()
    misses = []
    for image, box in heldout:
        found = SIDE * model(image)
        low = torch.maximum(found[:, :2] - found[:, 2:] / 2, box[:, :2] - box[:, 2:] / 2)
        high = torch.minimum(found[:, :2] + found[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2)
        common = (high - low).clamp(min=0).prod(dim=1)
        union = found[:, 2:].prod(dim=1) + box[:, 2:].prod(dim=1) - common
        misses.append((1 - common / union).mean().item())
    return sum(misses) / len(misses)
