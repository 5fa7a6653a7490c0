"""Reward of an action from the state it is taken in: a value network fitted to one-step returns."""

import torch
from ampfix_task import Data
from torch import nn

STATE, ACTIONS, BATCH = 10, 4, 32
BATCHES, HELDOUT = 80, 6


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"critic": nn.Sequential(nn.Linear(STATE, 48), nn.ReLU(), nn.Linear(48, ACTIONS))}


def data(seed: int) -> Data:
    """Batches of (state [32, 10], action [32, 1] int64, reward [32, 1])."""
    generator = torch.Generator().manual_seed(seed)
    worth = torch.randn(STATE, ACTIONS, generator=generator) / STATE**0.5

    def batch() -> tuple[torch.Tensor, ...]:
        state = torch.randn(BATCH, STATE, generator=generator)
        action = torch.randint(ACTIONS, (BATCH, 1), generator=generator)
        return state, action, torch.tanh(state @ worth).gather(1, action)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the reward."""
    critic = modules["critic"].eval()
    errors = [nn.functional.mse_loss(critic(state).gather(1, action), reward) for state, action, reward in heldout]
    return sum(error.item() for error in errors) / len(errors)
