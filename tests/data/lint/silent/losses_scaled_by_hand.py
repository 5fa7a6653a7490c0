"""Losses that code of their own, or a helper, scales before backward."""

import torch
import torch.nn.functional as F
from helpers import scale_up


def by_hand(model, loader, optimizer, scale):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(x), y)
        scaled_loss = loss * scale
        scaled_loss.backward()
        for parameter in model.parameters():
            parameter.grad /= scale
        optimizer.step()
        optimizer.zero_grad()


def by_a_helper(model, loader, optimizer, accumulation):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(x), y) / accumulation
        scaled_loss = scale_up(loss)
        scaled_loss.backward()
        optimizer.step()
        optimizer.zero_grad()
