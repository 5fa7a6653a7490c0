"""Embeddings of noisy spectra: two views of the same sample must find each other among the others of the batch."""

import torch
import torch.nn.functional as F
from ampfix_task import Data
from torch import nn

CHANNELS, LATENT, WIDTH, EMBEDDING, BATCH = 32, 8, 64, 16, 48
BATCHES, HELDOUT = 60, 8
BACKGROUND, NOISE = 0.5, 0.15
TEMPERATURE = 0.07


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(CHANNELS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
    projector = nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, EMBEDDING))
    return {"encoder": encoder, "projector": projector}


def data(seed: int) -> Data:
    """Batches of (first view [48, 32], second view [48, 32]), float32.

    A view is the sample's latent code seen through a fixed mixture, plus a strong background that the views do not
    share: untrained embeddings follow the background.
    """
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randn(LATENT, CHANNELS, generator=generator) / LATENT**0.5
    background = torch.randn(4, CHANNELS, generator=generator)

    def view(code: torch.Tensor) -> torch.Tensor:
        drift = torch.randn(BATCH, 4, generator=generator) @ background
        return code @ signal + BACKGROUND * drift + NOISE * torch.randn(BATCH, CHANNELS, generator=generator)

    def batch() -> tuple[torch.Tensor, ...]:
        code = torch.randn(BATCH, LATENT, generator=generator)
        return view(code), view(code)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Cross-entropy of finding the other view, both ways; log(48) = 3.87 for a guess."""
    encoder, projector = modules["encoder"].eval(), modules["projector"].eval()
    losses = []
    for first, second in heldout:
        a = F.normalize(projector(encoder(first)), dim=-1)
        b = F.normalize(projector(encoder(second)), dim=-1)
        logits = a @ b.T / TEMPERATURE
        target = torch.arange(len(logits))
        losses.append((F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)).item() / 2)
    return sum(losses) / len(losses)
