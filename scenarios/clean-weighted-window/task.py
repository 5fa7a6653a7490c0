"""Next token of short sequences of different lengths: each token follows from the one before it."""

import torch
from ampfix_task import Data
from torch import nn

TOKENS, LENGTH, BATCH = 24, 10, 8
BATCHES, HELDOUT = 132, 30


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "model": nn.Sequential(nn.Embedding(TOKENS, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, TOKENS)),
    }


def data(seed: int) -> Data:
    """Batches of (tokens [8, 10], following [8, 10], -1 behind a sequence's end), int64."""
    generator = torch.Generator().manual_seed(seed)
    successor = torch.randperm(TOKENS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        tokens = torch.randint(TOKENS, (BATCH, LENGTH), generator=generator)
        following = successor[tokens]
        noisy = torch.rand(BATCH, LENGTH, generator=generator) < 0.3
        following[noisy] = torch.randint(TOKENS, (int(noisy.sum()),), generator=generator)
        lengths = torch.randint(1, LENGTH + 1, (BATCH, 1), generator=generator)
        following[torch.arange(LENGTH) >= lengths] = -1
        return tokens, following

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy of the next token; ln 24 is chance."""
    model = modules["model"].eval()
    loss = nn.functional.cross_entropy
    losses = [loss(model(tokens).flatten(0, 1), following.flatten(), ignore_index=-1) for tokens, following in heldout]
    return sum(one.item() for one in losses) / len(losses)
