"""A bandit: which of five actions pays best in a context. A policy, and a value network as its baseline."""

import torch
from ampfix_task import Data
from torch import nn

CONTEXT, ACTIONS, BATCH = 8, 5, 48
BATCHES, HELDOUT = 90, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {
        "policy": nn.Sequential(nn.Linear(CONTEXT, 32), nn.Tanh(), nn.Linear(32, ACTIONS)),
        "value": nn.Sequential(nn.Linear(CONTEXT, 32), nn.Tanh(), nn.Linear(32, 1)),
    }


def data(seed: int) -> Data:
    """Batches of (context [48, 8], reward of each action [48, 5]), float32."""
    generator = torch.Generator().manual_seed(seed)
    worth = torch.randn(CONTEXT, ACTIONS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        context = torch.randn(BATCH, CONTEXT, generator=generator)
        return context, context @ worth + 0.5 * torch.randn(BATCH, ACTIONS, generator=generator)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Regret: what the best action of each context pays more than the policy, on average."""
    policy = modules["policy"].eval()
    regrets = []
    for context, rewards in heldout:
        paid = (policy(context).softmax(-1) * rewards).sum(-1)
        regrets.append((rewards.max(-1).values - paid).mean().item())
    return sum(regrets) / len(regrets)
