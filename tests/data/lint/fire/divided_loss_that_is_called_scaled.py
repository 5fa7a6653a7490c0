"""A loss that is divided by the window and called scaled: nothing scales it."""

import torch
import torch.nn.functional as F


def train(model, loader, accumulation):
    optimizer = torch.optim.AdamW(model.parameters())
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(x), y)
            scaled_loss = loss / accumulation
        scaled_loss.backward()  # expect: AMP201
        if (i + 1) % accumulation == 0:
            optimizer.step()
            optimizer.zero_grad()
