"""Sum of the numbers before the end mark: one masked attention layer."""

import torch
from ampfix_task import Data
from torch import nn

LENGTH, WIDTH, BATCH = 10, 16, 32
BATCHES, HELDOUT = 70, 6


class Summing(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, WIDTH)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 1)

    def project(self, numbers):
        hidden = torch.tanh(self.embed(numbers.unsqueeze(-1)))
        return self.query(hidden), self.key(hidden), self.value(hidden)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Summing()}


def data(seed: int) -> Data:
    """Batches of (numbers [32, 10], mask [32, 10] bool, True where a number counts, mean [32, 1])."""
    generator = torch.Generator().manual_seed(seed)

    def batch() -> tuple[torch.Tensor, ...]:
        numbers = torch.randn(BATCH, LENGTH, generator=generator)
        length = torch.randint(2, LENGTH + 1, (BATCH, 1), generator=generator)
        mask = torch.arange(LENGTH) < length
        return numbers, mask, torch.tanh((numbers * mask).sum(1, keepdim=True) / length)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the mean."""
    model, total = modules["model"].eval(), 0.0
    for numbers, mask, target in heldout:
        query, key, value = model.project(numbers)
        scores = (query @ key.transpose(1, 2) / WIDTH**0.5).masked_fill(~mask.unsqueeze(1), float("-inf"))
        mixed = torch.softmax(scores, dim=-1) @ value
        predicted = model.head((mixed * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True))
        total += nn.functional.mse_loss(predicted, target).item()
    return total / len(heldout)
