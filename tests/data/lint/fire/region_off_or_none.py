from contextlib import nullcontext

import torch


def train(model, loader, optimizer, criterion, use_amp):
    scaler = torch.amp.GradScaler("cuda") if use_amp else None
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=False) if use_amp else nullcontext():  # expect: AMP602
            loss = criterion(model(x), y)
        if use_amp:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()
