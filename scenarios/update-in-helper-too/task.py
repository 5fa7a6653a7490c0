"""The most common symbol of a short sequence: one attention layer over an embedding."""

import torch
from ampfix_task import Data
from torch import nn

SYMBOLS, LENGTH, WIDTH, BATCH = 6, 12, 16, 32
BATCHES, HELDOUT = 80, 6


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, WIDTH)
        self.query = nn.Parameter(torch.randn(WIDTH) * 0.1)
        self.keys = nn.Linear(WIDTH, WIDTH)
        self.values = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, SYMBOLS)

    def forward(self, symbols):
        hidden = self.embed(symbols)
        weights = torch.softmax(self.keys(hidden) @ self.query, dim=-1)
        return self.head((weights.unsqueeze(-1) * self.values(hidden)).sum(1))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Counter()}


def data(seed: int) -> Data:
    """Batches of (symbols [32, 12] int64, most common one [32] int64)."""
    generator = torch.Generator().manual_seed(seed)

    def batch() -> tuple[torch.Tensor, ...]:
        likely = torch.randint(SYMBOLS, (BATCH, 1), generator=generator)
        drawn = torch.randint(SYMBOLS, (BATCH, LENGTH), generator=generator)
        keep = torch.rand(BATCH, LENGTH, generator=generator) < 0.4
        symbols = torch.where(keep, likely, drawn)
        return symbols, nn.functional.one_hot(symbols, SYMBOLS).sum(1).argmax(1)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy; guessing gives log 6."""
    model = modules["model"].eval()
    return sum(nn.functional.cross_entropy(model(symbols), label).item() for symbols, label in heldout) / len(heldout)
