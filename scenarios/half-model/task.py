"""Fine-tuning: weights that are nearly right already, corrected by many small steps."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, OUTPUTS, BATCH = 16, 8, 32
BATCHES, HELDOUT = 120, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Linear(INPUTS, OUTPUTS)}


def data(seed: int) -> Data:
    """Batches of (features [32, 16], target [32, 8]), float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(INPUTS, OUTPUTS, generator=generator) / INPUTS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        features = torch.randn(BATCH, INPUTS, generator=generator)
        return features, features @ weights

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(features), target).item() for features, target in heldout) / len(heldout)
