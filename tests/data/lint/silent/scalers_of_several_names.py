import torch
from helpers import pick


def train(model, loader, optimizer, key):
    scaler = torch.amp.GradScaler("cuda")
    scalers = {"amp": scaler}
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scalers[key].unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scalers[key].step(optimizer)
        scalers[key].update()


def train_with_what_a_helper_picks(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    active = pick(scaler)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        active.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        active.step(optimizer)
        active.update()
