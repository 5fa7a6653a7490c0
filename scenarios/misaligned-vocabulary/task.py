"""Which item of a catalogue was looked at, from noisy measurements: an encoder whose features are kept.

The head that scores the catalogue belongs to the training loop and is thrown away. What is judged is how well the
encoder's features tell an item's category, by a linear fit in closed form. Of 4099 items, 24 are in season.
"""

import torch
from ampfix_task import Data
from torch import nn

ITEMS, IN_SEASON, CATEGORIES, MEASURED, NOISE = 4099, 24, 4, 16, 0.5
BATCHES, HELDOUT = 30, 4  # training starts over after 30 batches
SIZES = {"cpu": (32, 48), "cuda": (2048, 8192)}  # (width, rows of a batch)
HELDOUT_ROWS = 256
RIDGE = 1e-3


def build(seed: int, size: str = "cpu") -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    width = SIZES[size][0]
    return {"encoder": nn.Sequential(nn.Linear(MEASURED, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())}


def data(seed: int, size: str = "cpu") -> Data:
    """Training batches of (measurements [rows, 16], item [rows]), held-out ones with its category [rows, 4] besides."""
    generator = torch.Generator().manual_seed(seed)
    typical = torch.randn(IN_SEASON, MEASURED, generator=generator)
    item = torch.randperm(ITEMS, generator=generator)[:IN_SEASON]
    train = [_batch(typical, item, SIZES[size][1], generator)[:2] for _ in range(BATCHES)]
    return Data(train, [_batch(typical, item, HELDOUT_ROWS, generator) for _ in range(HELDOUT)])


def _batch(typical, item, rows: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    which = torch.randint(IN_SEASON, (rows,), generator=generator)
    measured = typical[which] + NOISE * torch.randn(rows, MEASURED, generator=generator)
    return measured, item[which], nn.functional.one_hot(which % CATEGORIES, CATEGORIES).float()


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Share of the categories' variance that a ridge regression on the features leaves: 1 knows nothing, 0 all."""
    encoder = modules["encoder"].eval()
    features, category = _stacked(encoder, heldout[: HELDOUT // 2])
    penalty = RIDGE * len(features) * torch.eye(features.shape[1])
    weights = torch.linalg.solve(features.T @ features + penalty, features.T @ category)
    features, category = _stacked(encoder, heldout[HELDOUT // 2 :])
    return ((features @ weights - category).square().mean() / (category - category.mean(0)).square().mean()).item()


def _stacked(encoder: nn.Module, batches) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.cat([encoder(measured) for measured, _, _ in batches])
    return torch.cat([features, torch.ones(len(features), 1)], 1), torch.cat([category for *_, category in batches])
