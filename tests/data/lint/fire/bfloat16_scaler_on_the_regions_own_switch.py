"""The switch speaks of precision, but it turns the bfloat16 region on as well: the scaler is on in bfloat16 alone."""

import torch


def train(model, loader, optimizer, mixed_precision):
    scaler = torch.amp.GradScaler("cuda", enabled=mixed_precision)  # expect: AMP204
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=mixed_precision):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
