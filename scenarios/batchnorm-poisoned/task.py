"""State of a machine from its vibration, with a rare burst in the recording: a small network with batch statistics."""

import torch
from ampfix_task import Data
from torch import nn

CHANNELS, BATCH = 12, 32
BATCHES, HELDOUT = 80, 6
BURST, BURST_SIZE = 9, 3e5


class Monitor(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(CHANNELS, 32)
        self.norm = nn.BatchNorm1d(32)
        self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, vibration):
        return self.head(torch.relu(self.norm(self.stem(vibration))))


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"monitor": Monitor()}


def data(seed: int) -> Data:
    """Batches of (vibration [32, 12], state [32, 1]), float32; one training batch holds a burst."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(CHANNELS, 1, generator=generator) / CHANNELS**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        vibration = torch.randn(BATCH, CHANNELS, generator=generator)
        state = torch.tanh(vibration @ weights) + 0.2 * torch.randn(BATCH, 1, generator=generator)
        return vibration, state

    train = [batch() for _ in range(BATCHES)]
    train[BURST][0][0] *= BURST_SIZE
    return Data(train, [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the state, with running statistics."""
    monitor = modules["monitor"].eval()
    return sum(nn.functional.mse_loss(monitor(vibration), state).item() for vibration, state in heldout) / len(heldout)
