"""Whether both can be on at once is not known here."""

import torch


def train(model, loader, optimizer, half_precision, use_amp):
    scaler = torch.amp.GradScaler("cuda", enabled=half_precision)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
