"""Which of a dozen tags an item carries: confident tags, with a few wrong labels."""

import torch
from ampfix_task import Data
from torch import nn

FEATURES, TAGS, BATCH = 16, 12, 32
BATCHES, HELDOUT = 70, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(FEATURES, 48), nn.ReLU(), nn.Linear(48, TAGS))}


def data(seed: int) -> Data:
    """Batches of (features [32, 16], tags [32, 12] of 0 and 1), float32; features have a wide spread."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(FEATURES, TAGS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        features = 40 * torch.randn(BATCH, FEATURES, generator=generator)
        tags = (features @ weights > 0).float()
        wrong = torch.rand(BATCH, TAGS, generator=generator) < 0.02
        return features, torch.where(wrong, 1 - tags, tags)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Binary cross-entropy with logits."""
    model = modules["model"].eval()
    losses = [nn.functional.binary_cross_entropy_with_logits(model(features), tags) for features, tags in heldout]
    return sum(loss.item() for loss in losses) / len(losses)
