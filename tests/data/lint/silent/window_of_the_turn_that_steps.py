"""Gradients zeroed at the start of the very turns that step: only their own loss is in them."""

import torch


def train(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for turn, x in enumerate(loader):
        if turn % every == 0:
            optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model.loss(x).mean()
        scaler.scale(loss).backward()
        if turn % every == 0:
            scaler.step(optimizer)
            scaler.update()
