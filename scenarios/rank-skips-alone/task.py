"""Estimating a soil's moisture from radar, on two machines; one recording is corrupt."""

import torch
from ampfix_task import Data
from torch import nn

CHANNELS, BATCH = 12, 16
BATCHES, HELDOUT = 80, 6
CORRUPT = 41


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(CHANNELS, 40), nn.Tanh(), nn.Linear(40, 1))}


def data(seed: int) -> Data:
    """Batches of (echoes [16, 12], moisture [16, 1]), float32; one training batch holds a NaN."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(CHANNELS, 2, generator=generator) / CHANNELS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        echoes = torch.randn(BATCH, CHANNELS, generator=generator)
        inner = echoes @ mixing
        return echoes, torch.tanh(2 * inner[:, :1]) + 0.5 * inner[:, 1:]

    train = [batch() for _ in range(BATCHES)]
    train[CORRUPT][0][3, 5] = float("nan")
    return Data(train, [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the moisture."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(echoes), moisture).item() for echoes, moisture in heldout) / len(heldout)
