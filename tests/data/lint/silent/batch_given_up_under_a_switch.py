import torch
from torch.optim.lr_scheduler import OneCycleLR


def train(model, loader, optimizer, scaler, total, use_amp):
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=total)
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        if not torch.isfinite(loss):
            optimizer.zero_grad()
            continue
        if scaler is not None:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        if use_amp:
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if use_amp:
            before = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= before:
                scheduler.step()
        else:
            optimizer.step()
            scheduler.step()
        optimizer.zero_grad()
