"""The next character of a rhythm that repeats with a shift: a small LSTM language model."""

import torch
from ampfix_task import Data
from torch import nn

SYMBOLS, LENGTH, BATCH = 12, 12, 24
BATCHES, HELDOUT = 70, 4


class Rhythm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.head = nn.Linear(32, SYMBOLS)

    def forward(self, symbols):
        states, _ = self.lstm(self.embed(symbols))
        return self.head(states)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Rhythm()}


def data(seed: int) -> Data:
    """Batches of (symbols [24, 12], next symbols [24, 12]), int64."""
    generator = torch.Generator().manual_seed(seed)
    follower = torch.randperm(SYMBOLS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        symbols = [torch.randint(SYMBOLS, (BATCH,), generator=generator)]
        for _ in range(LENGTH):
            symbols.append(follower[symbols[-1]])
        line = torch.stack(symbols, dim=1)
        return line[:, :-1], line[:, 1:]

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean cross-entropy of the next symbol in nats; guessing costs 2.48."""
    model = modules["model"].eval()
    losses = [nn.functional.cross_entropy(model(now).flatten(0, 1), after.flatten()).item() for now, after in heldout]
    return sum(losses) / len(losses)
