"""exp of the negative of a square, or of a distance, is at most 1."""

import torch


def window(size, sigma, image):
    offsets = torch.arange(size, dtype=image.dtype, device=image.device) - size // 2
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    return weights / weights.sum()


def kernel(features, gamma):
    distances = torch.cdist(features, features).to(features.dtype)
    similar = torch.exp(-0.5 * distances)
    return similar / similar.sum(-1, keepdim=True)


def evaluate(loader):
    layer = torch.nn.Linear(8, 8).cuda()
    for x, _ in loader:
        with torch.autocast("cuda"):
            out = layer(x)
        print(window(11, 1.5, out), kernel(out, 0.5))
