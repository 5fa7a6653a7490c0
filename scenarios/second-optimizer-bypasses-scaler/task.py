"""Ratings from a table of factors and a small tower: a recommender with sparse and dense parameters."""

import torch
from ampfix_task import Data
from torch import nn

USERS, FACTORS, FEATURES, BATCH = 24, 8, 8, 48
BATCHES, HELDOUT = 90, 6


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.users = nn.Embedding(USERS, FACTORS)

    def forward(self, user):
        return self.users(user)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    tower = nn.Sequential(nn.Linear(FACTORS + FEATURES, 32), nn.ReLU(), nn.Linear(32, 1))
    return {"table": Table(), "tower": tower}


def data(seed: int) -> Data:
    """Batches of (user [48] int64, item [48, 8], rating [48, 1])."""
    generator = torch.Generator().manual_seed(seed)
    taste = torch.randn(USERS, FEATURES, generator=generator) / FEATURES**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        user = torch.randint(USERS, (BATCH,), generator=generator)
        item = torch.randn(BATCH, FEATURES, generator=generator)
        return user, item, torch.tanh((taste[user] * item).sum(1, keepdim=True)) + taste[user, :1]

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the rating."""
    table, tower = modules["table"].eval(), modules["tower"].eval()
    errors = [
        nn.functional.mse_loss(tower(torch.cat([table(user), item], dim=1)), rating).item()
        for user, item, rating in heldout
    ]
    return sum(errors) / len(errors)
