"""A linear regression of 8 features on 4 targets: the smallest task that a clip bug ruins."""

import torch
from ampfix_task import Batch, Data
from torch import nn

FEATURES, TARGETS, BATCH, BATCHES, HELDOUT = 8, 4, 32, 40, 4


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, TARGETS))}


def data(seed: int) -> Data:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(FEATURES, TARGETS, generator=generator) / FEATURES

    def batch() -> Batch:
        features = torch.randn(BATCH, FEATURES, generator=generator)
        return features, features @ mixing

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


def evaluate(modules: dict[str, nn.Module], heldout: list[Batch]) -> float:
    """Mean squared error."""
    model = modules["model"]
    return sum(nn.functional.mse_loss(model(x), y).item() for x, y in heldout) / len(heldout)
