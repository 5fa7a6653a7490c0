"""Few noisy examples, many features: a linear regression that only generalises when its weights are kept small."""

import torch
from ampfix_task import Data
from torch import nn

FEATURES, RELEVANT, BATCH = 96, 4, 16
BATCHES, HELDOUT = 4, 12


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Linear(FEATURES, 1)}


def data(seed: int) -> Data:
    """Batches of (features [16, 96], target [16, 1]), float32. The four training batches are seen again and again."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.zeros(FEATURES, 1)
    weights[:RELEVANT] = torch.randn(RELEVANT, 1, generator=generator).sign() / 2

    def batch() -> tuple[torch.Tensor, ...]:
        features = torch.randn(BATCH, FEATURES, generator=generator)
        return features, features @ weights + 1.0 * torch.randn(BATCH, 1, generator=generator)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error on fresh examples; the noise alone has variance 1."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(features), target).item() for features, target in heldout) / len(heldout)
