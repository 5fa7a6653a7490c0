"""Which of three gestures a short motion track shows: a convolutional classifier."""

import torch
from ampfix_task import Data
from torch import nn

AXES, LENGTH, CLASSES, BATCH = 3, 16, 3, 24
BATCHES, HELDOUT = 60, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "net": nn.Sequential(
            nn.Conv1d(AXES, 16, 5, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 6, 32),
            nn.ReLU(),
            nn.Linear(32, CLASSES),
        )
    }


def data(seed: int) -> Data:
    """Batches of (track [24, 3, 16], gesture [24] int64)."""
    generator = torch.Generator().manual_seed(seed)
    gestures = torch.randn(CLASSES, AXES, LENGTH, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        gesture = torch.randint(CLASSES, (BATCH,), generator=generator)
        return gestures[gesture] + 1.5 * torch.randn(BATCH, AXES, LENGTH, generator=generator), gesture

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy; guessing gives log 3."""
    net = modules["net"].eval()
    return sum(nn.functional.cross_entropy(net(track), gesture).item() for track, gesture in heldout) / len(heldout)
