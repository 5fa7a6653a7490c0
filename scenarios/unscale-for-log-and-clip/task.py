"""Where in a small grey image the bright patch lies: a convolutional regression."""

import torch
from ampfix_task import Data
from torch import nn

SIZE, BATCH = 12, 24
BATCHES, HELDOUT = 60, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "model": nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.GELU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(8 * 36, 2),
        )
    }


def data(seed: int) -> Data:
    """Batches of (image [24, 1, 12, 12], centre [24, 2] in units of half the image), float32."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.arange(SIZE, dtype=torch.float32)

    def batch() -> tuple[torch.Tensor, ...]:
        centre = 2 + (SIZE - 5) * torch.rand(BATCH, 2, generator=generator)
        row = torch.exp(-((grid - centre[:, :1]) ** 2) / 4)
        column = torch.exp(-((grid - centre[:, 1:]) ** 2) / 4)
        image = row.unsqueeze(2) * column.unsqueeze(1) + 0.1 * torch.randn(BATCH, SIZE, SIZE, generator=generator)
        return image.unsqueeze(1), centre / (SIZE / 2) - 1

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the centre."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(image), centre).item() for image, centre in heldout) / len(heldout)
