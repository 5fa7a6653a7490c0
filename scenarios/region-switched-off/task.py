"""Next token of a small grammar: an embedding, a hidden layer and a softmax over symbols."""

import torch
from ampfix_task import Data
from torch import nn

SYMBOLS, CONTEXT, BATCH = 8, 4, 32
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "lm": nn.Sequential(
            nn.Embedding(SYMBOLS, 12), nn.Flatten(), nn.Linear(12 * CONTEXT, 40), nn.GELU(), nn.Linear(40, SYMBOLS)
        )
    }


def data(seed: int) -> Data:
    """Batches of (context [32, 4] int64, next [32] int64)."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.randint(SYMBOLS, (SYMBOLS, SYMBOLS), generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        context = torch.randint(SYMBOLS, (BATCH, CONTEXT), generator=generator)
        drawn = torch.randint(SYMBOLS, (BATCH,), generator=generator)
        keep = torch.rand(BATCH, generator=generator) < 0.8
        return context, torch.where(keep, table[context[:, -1], context[:, -2]], drawn)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy of the next symbol; guessing gives log 8."""
    lm = modules["lm"].eval()
    return sum(nn.functional.cross_entropy(lm(context), following).item() for context, following in heldout) / len(
        heldout
    )
