"""Handwritten digits."""

import gzip
import importlib.util
from pathlib import Path

import torch
from ampfix_task import Data
from torch import nn

BATCH = 32
HELDOUT = 397


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10))}


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
    """Batches of (images [B, 64] of 0 to 1, labels [B]): handwritten digits, split and shuffled by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = table("digits.csv.gz")
    images, labels = rows[:, :64] / 16, rows[:, 64].long()

    def batch(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return images[rows], labels[rows]

    order = torch.randperm(len(labels), generator=generator)
    return Data([batch(rows) for rows in order[HELDOUT:].split(BATCH)][:-1], [batch(order[:HELDOUT])])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Share of digits read wrong; 0.9 is chance. Bounded, since loops that diverge end anywhere, in float32 as well."""
    model = modules["model"].eval()
    right = sum((model(images).argmax(dim=1) == labels).float().mean().item() for images, labels in heldout)
    return 1.0 - right / len(heldout)
