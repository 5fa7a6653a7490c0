"""Handwritten digits, row by row: one layer of attention."""

import gzip
import importlib.util
from pathlib import Path

import torch
from ampfix_task import Data
from torch import nn

BATCH, WIDTH = 24, 64
HELDOUT = 397


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "query": nn.Linear(8, WIDTH),
        "key": nn.Linear(8, WIDTH),
        "head": nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    }


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
    """Batches of (images [B, 8, 8] of 0 to 255, labels [B]): handwritten digits, split and shuffled by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = table("digits.csv.gz")
    images, labels = rows[:, :64] / 16, rows[:, 64].long()

    def batch(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return 255 * images[rows].view(-1, 8, 8), labels[rows]

    order = torch.randperm(len(labels), generator=generator)
    return Data([batch(rows) for rows in order[HELDOUT:].split(BATCH)][:-1], [batch(order[:HELDOUT])])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy of the digit; ln 10 is chance."""
    query, key, head = (modules[name].eval() for name in ("query", "key", "head"))
    losses = []
    for images, labels in heldout:
        scores = query(images) @ key(images).transpose(-2, -1) / (255 * WIDTH**0.5)
        mixed = images / 255 + scores.softmax(-1) @ (images / 255)
        losses.append(nn.functional.cross_entropy(head(mixed), labels).item())
    return sum(losses) / len(losses)
