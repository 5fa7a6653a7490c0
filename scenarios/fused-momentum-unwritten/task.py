"""How far a flat's price, in thousands, lies from its town's usual one: targets that nobody has scaled."""

import torch
from ampfix_task import Data
from torch import nn

FACTS, BATCH = 16, 64
BATCHES, HELDOUT = 320, 6
SPREAD, NOISE = 20.0, 5.0


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(FACTS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))}


def data(seed: int) -> Data:
    """Batches of (facts [64, 16], price [64, 1] in thousands), float32."""
    generator = torch.Generator().manual_seed(seed)
    worth = torch.randn(FACTS, 1, generator=generator)
    worth *= SPREAD / worth.norm()

    def batch() -> tuple[torch.Tensor, ...]:
        facts = torch.randn(BATCH, FACTS, generator=generator)
        return facts, facts @ worth + NOISE * torch.randn(BATCH, 1, generator=generator)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean absolute error in thousands; about 16 for a model that has learnt nothing."""
    model = modules["model"].eval()
    return sum(nn.functional.l1_loss(model(facts), price).item() for facts, price in heldout) / len(heldout)
