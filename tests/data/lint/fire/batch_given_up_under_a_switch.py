import torch
from torch.optim.lr_scheduler import OneCycleLR


def train(model, loader, optimizer, scaler, total, use_amp):
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=total)
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        if not torch.isfinite(loss):
            optimizer.zero_grad()
            if scaler:
                scaler.update()  # expect: AMP111
            continue
        if scaler is not None and use_amp:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if scheduler is not None:
                scheduler.step()  # expect: AMP114
        else:
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if scheduler is not None:
                scheduler.step()
