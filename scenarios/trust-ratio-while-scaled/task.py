"""Next value of a noisy oscillation from its recent past: a small recurrent cell unrolled over a window."""

import torch
from ampfix_task import Data
from torch import nn

WINDOW, INPUTS, HIDDEN, BATCH = 8, 6, 32, 32
BATCHES, HELDOUT = 70, 6


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs = nn.Linear(INPUTS, HIDDEN)
        self.hidden = nn.Linear(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, INPUTS)

    def forward(self, sequence):
        state = torch.zeros(sequence.shape[0], HIDDEN, device=sequence.device)
        for step in range(sequence.shape[1]):
            state = torch.tanh(self.inputs(sequence[:, step]) + self.hidden(state))
        return self.head(state)


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Recurrent()}


def data(seed: int) -> Data:
    """Batches of (sequence [32, 8, 6], following [32, 6]), float32."""
    generator = torch.Generator().manual_seed(seed)
    speed = 0.3 + 0.5 * torch.rand(INPUTS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        phase = 6.2832 * torch.rand(BATCH, 1, INPUTS, generator=generator)
        time = torch.arange(WINDOW + 1, dtype=torch.float32).view(1, -1, 1)
        wave = torch.sin(speed * time + phase)
        return wave[:, :-1] + 0.05 * torch.randn(BATCH, WINDOW, INPUTS, generator=generator), wave[:, -1]

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the predicted value; its variance is 0.5."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(seen), following).item() for seen, following in heldout) / len(heldout)
