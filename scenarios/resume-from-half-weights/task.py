"""Small corrections to a trained model, in short runs that resume one another."""

import torch
from ampfix_task import Data
from torch import nn

INPUTS, OUTPUTS, BATCH = 16, 8, 32
BATCHES, HELDOUT = 150, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    model = nn.Linear(INPUTS, OUTPUTS)
    nn.init.uniform_(model.weight, 2.0, 4.0)
    return {"model": model}


def data(seed: int) -> Data:
    """Batches of (features [32, 16], target [32, 8]), float32; targets are near those of the initial weights."""
    generator = torch.Generator().manual_seed(seed)
    trained = build(seed)["model"].weight.detach()
    wanted = trained + 0.02 * torch.randn(OUTPUTS, INPUTS, generator=generator).sign()

    def batch() -> tuple[torch.Tensor, ...]:
        features = torch.randn(BATCH, INPUTS, generator=generator)
        return features, features @ wanted.t()

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error in units of 1e-3."""
    model = modules["model"].eval()
    return sum(1e3 * nn.functional.mse_loss(model(features), target).item() for features, target in heldout) / len(
        heldout
    )
