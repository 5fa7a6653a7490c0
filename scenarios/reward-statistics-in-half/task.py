"""A thermostat that learns by trial: contexts, and what each of six actions would have earned."""

import torch
from ampfix_task import Data
from torch import nn

CONTEXT, ACTIONS, BATCH = 12, 6, 64
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"policy": nn.Sequential(nn.Linear(CONTEXT, 32), nn.Tanh(), nn.Linear(32, ACTIONS))}


def data(seed: int) -> Data:
    """Batches of (context [64, 12], reward of each action [64, 6], between 0 and 400), float32."""
    generator = torch.Generator().manual_seed(seed)
    comfort = torch.randn(CONTEXT, ACTIONS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        context = torch.randn(BATCH, CONTEXT, generator=generator)
        return context, 400 * torch.sigmoid(context @ comfort)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Expected reward that the policy forgoes, in hundreds."""
    policy = modules["policy"].eval()
    regrets = []
    for context, rewards in heldout:
        earned = (policy(context).softmax(dim=1) * rewards).sum(dim=1)
        regrets.append((rewards.amax(dim=1) - earned).mean().item() / 100)
    return sum(regrets) / len(regrets)
