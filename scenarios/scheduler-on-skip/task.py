"""Compressing small images: a variational autoencoder whose loss is summed over pixels and batch, as is common."""

import torch
import torch.nn.functional as F
from ampfix_task import Data
from torch import nn

PIXELS, HIDDEN, LATENT, FACTORS, BATCH = 64, 48, 8, 6, 128
BATCHES, HELDOUT = 60, 4


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, PIXELS))

    def forward(self, image):
        mean, log_var = self.encoder(image).chunk(2, dim=-1)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var) if self.training else mean
        return self.decoder(latent), mean, log_var


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"vae": VAE()}


def data(seed: int) -> Data:
    """Batches of (image [64, 64],), float32, zero mean and variance near 4."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(FACTORS, 16, generator=generator)
    outer = torch.randn(16, PIXELS, generator=generator) / 2

    def batch() -> tuple[torch.Tensor, ...]:
        factors = torch.randn(BATCH, FACTORS, generator=generator)
        return (torch.tanh(factors @ inner) @ outer + 0.1 * torch.randn(BATCH, PIXELS, generator=generator),)

    return Data([batch() for _ in range(BATCHES)], [batch() for _ in range(HELDOUT)])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared reconstruction error per pixel, from the mean of the posterior."""
    vae = modules["vae"].eval()
    return sum(F.mse_loss(vae(image)[0], image).item() for (image,) in heldout) / len(heldout)
