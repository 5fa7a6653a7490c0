"""Grade of a beam from its spectrum of vibrations: a small convolutional regression."""

import torch
from ampfix_task import Data
from torch import nn

LENGTH, BATCH = 20, 32
BATCHES, HELDOUT = 200, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Conv1d(1, 10, 5), nn.ReLU(), nn.Flatten(), nn.Linear(160, 1))}


def data(seed: int) -> Data:
    """Batches of (spectrum [32, 1, 20], grade [32, 1]), float32."""
    generator = torch.Generator().manual_seed(seed)
    pattern = torch.randn(LENGTH, 1, generator=generator) / LENGTH**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        spectrum = torch.randn(BATCH, LENGTH, generator=generator)
        return spectrum.unsqueeze(1), torch.tanh(spectrum @ pattern)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the grade."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(spectrum), grade).item() for spectrum, grade in heldout) / len(heldout)
