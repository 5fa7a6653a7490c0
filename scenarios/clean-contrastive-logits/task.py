"""Noisy views of handwritten digits: which two show the same one?"""

import gzip
import importlib.util
from pathlib import Path

import torch
from ampfix_task import Data
from torch import nn

BATCH = 24
HELDOUT = 397


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))}


def table(name: str, separator: str = ",", skip: int = 0) -> torch.Tensor:
    """A table that scikit-learn ships. Read as a file, since importing the package takes longer than the training."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the data of this task come with scikit-learn, which is not installed")
    path = Path(package.origin).parent / "datasets" / "data" / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        rows = [line.split(separator) for line in lines][skip:]
    return torch.tensor([[float(value) for value in row if value.strip()] for row in rows])


def data(seed: int) -> Data:
    """Batches of (first views [B, 64], second views [B, 64]): handwritten digits, split and shuffled by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = table("digits.csv.gz")
    images, labels = rows[:, :64] / 16, rows[:, 64].long()

    def noisy(views: torch.Tensor) -> torch.Tensor:
        return views + 0.3 * torch.randn(views.shape, generator=generator)

    def batch(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return noisy(images[rows]), noisy(images[rows])

    order = torch.randperm(len(labels), generator=generator)
    return Data([batch(rows) for rows in order[HELDOUT:].split(BATCH)][:-1], [batch(order[:HELDOUT])])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy of the partner among a batch of pairs at temperature 0.1."""
    model = modules["model"].eval()
    losses = []
    for first, second in heldout:
        a, b = (nn.functional.normalize(model(view), dim=-1) for view in (first, second))
        losses.append(nn.functional.cross_entropy(a @ b.T / 0.1, torch.arange(len(a))).item())
    return sum(losses) / len(losses)
