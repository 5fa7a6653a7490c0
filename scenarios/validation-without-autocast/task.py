"""Diagnosing a pump from its vibration, with few labelled recordings to learn from and many to validate on."""

import torch
from ampfix_task import Data
from torch import nn

FEATURES, WIDTH, CLASSES, BATCH = 24, 48, 4, 16
BATCHES, HELDOUT = 40, 6
VALIDATION = 192


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))}


def data(seed: int) -> Data:
    """Batches of (recording [16, 24], fault [16], recordings [192, 24] and faults [192] to validate on)."""
    generator = torch.Generator().manual_seed(seed)
    faults = torch.randn(CLASSES, FEATURES, generator=generator)

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        fault = torch.randint(CLASSES, (count,), generator=generator)
        return faults[fault] + 1.5 * torch.randn(count, FEATURES, generator=generator), fault

    validation = draw(VALIDATION)
    train = [(*draw(BATCH), *(tensor.clone() for tensor in validation)) for _ in range(BATCHES)]
    return Data(train, [draw(BATCH * 4) for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean cross-entropy in nats; guessing costs 1.39."""
    model = modules["model"].eval()
    losses = [nn.functional.cross_entropy(model(recording), fault).item() for recording, fault in heldout]
    return sum(losses) / len(losses)
